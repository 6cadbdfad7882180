import type { Duplex } from 'node:stream';
import { errorMessage } from '@dstack/contract/error-message';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { Execution } from '../executor/executor.ts';
import { AgentError } from './agent-error.ts';

/** Time limit for an address that does not answer (another network, a firewall). */
const ANSWER_MS = 1000;

export interface JobPortConnection {
  readonly stream: Duplex;
  /** One of `Execution.addresses`. */
  readonly address: string;
}

/** Connects to the ports of one job, at the address at which something listens. */
export class JobPorts {
  /** The address that answered last, by port. */
  readonly #answering = new Map<number, string>();

  /** Throws `AgentError` `port_refused`. */
  async dial(
    execution: Pick<Execution, 'addresses' | 'dial' | 'foreignListener'>,
    port: number,
  ): Promise<JobPortConnection> {
    const last = this.#answering.get(port);
    const rest = execution.addresses.filter((address) => address !== last);
    const addresses = last === undefined ? rest : [last, ...rest];
    let reason = '';
    for (const [index, address] of addresses.entries()) {
      try {
        const foreign = execution.foreignListener?.(address, port) ?? null;
        if (foreign !== null) throw new Error(foreign);
        const isLast = index === addresses.length - 1;
        const connection = execution.dial(address, port);
        const stream = await (isLast ? connection : openWithin(connection, ANSWER_MS));
        this.#answering.set(port, address);
        return { stream, address };
      } catch (error) {
        reason = errorMessage(error);
      }
    }
    throw new AgentError(502, 'port_refused', `Nothing answers at port ${port}: ${reason}`);
  }
}

/** A connection that opens too late is closed. */
function openWithin(opening: Promise<Duplex>, ms: number): Promise<Duplex> {
  return withTimeout(() => opening, {
    ms,
    onTimeout: () => {
      opening.then((late) => late.destroy()).catch(() => {});
      throw new Error(`no answer within ${ms} ms`);
    },
  });
}
