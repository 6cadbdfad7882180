import type { Duplex } from 'node:stream';
import { errorMessage } from '@dstack/contract/error-message';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { Execution } from '../executor/executor.ts';
import { AgentError } from './agent-error.ts';

/** An address from which nothing comes back (another network, a firewall) costs no more than this. */
const ANSWER_MS = 1000;

export interface PortConnection {
  readonly stream: Duplex;
  /** Of `Execution.addresses`. */
  readonly address: string;
}

/** Connections to the ports of one job, at whichever of its addresses they are listened on. */
export class JobPorts {
  /** Address that answered last, by port. */
  readonly #answering = new Map<number, string>();

  /** Throws `AgentError` `port_refused`. */
  async dial(
    execution: Pick<Execution, 'addresses' | 'dial' | 'foreignListener'>,
    port: number,
  ): Promise<PortConnection> {
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
