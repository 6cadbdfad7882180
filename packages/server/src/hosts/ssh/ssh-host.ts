import { setTimeout as delay } from 'node:timers/promises';
import type { AgentInfo } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { ChannelSocket, JumpHosts } from '@dstack/ssh';
import {
  addressOf,
  asHostError,
  type HostError,
  type MayDial,
  permanent,
  SshReach,
  temporary,
} from '@dstack/ssh';
import type { HostAccess, HostAccessRecord, Store } from '@dstack/store';
import { AgentClient, AgentUnreachable } from '../agent-client.ts';
import type { HostConnection } from '../supervisor/connector.ts';
import { HostShell } from './host-shell.ts';
import { agentListens, lastLogLines, removeAgent, startHostAgent } from './install.ts';
import { AGENT_SOCKET } from './layout.ts';
import { checkForwarding, type HostPurpose, type Preflight, preflight } from './preflight.ts';
import type { Programs } from './programs.ts';
import { putPrograms } from './put-programs.ts';
import { howToAllow } from './sshd-settings.ts';

export interface SshHostOptions {
  readonly record: Omit<HostAccessRecord, 'access'> & {
    readonly access: Extract<HostAccess, { kind: 'ssh' }>;
  };
  readonly serverId: string;
  readonly env: Readonly<Record<string, string>>;
  readonly programs: Programs;
  readonly jumps: JumpHosts;
  /** Guards the host, or the jump host before it. */
  readonly mayDial: MayDial;
  readonly hostAccess: Pick<Store['hostAccess'], 'pin'>;
  /** Omitted: it runs jobs. */
  readonly purpose?: HostPurpose;
}

/** An agent that was started answers within this time, in milliseconds. */
const ANSWER_MS = 20_000;
const ASK_AGAIN_MS = 100;
/** Milliseconds to connect to a host that failed last, before it is removed with its agent left. */
const BRIEFLY_MS = 3000;
/** For this time a new machine may lack what it needs. */
const BOOT_MS = 10 * 60_000;
/** The interval of the checks whether the agent listens at all. */
const LOOK_MS = 1500;

/** A host that is reached over SSH: its connection, and its agent at the other end. */
export class SshHost implements HostConnection {
  readonly #options: SshHostOptions;
  readonly #reach: SshReach;
  readonly client: AgentClient;
  readonly #since = performance.now();
  /** The agent's program was found to be of this version since the server started. */
  #upToDate = false;

  constructor(options: SshHostOptions) {
    this.#options = options;
    const { record, jumps, hostAccess, mayDial } = options;
    this.#reach = new SshReach({
      ...{ access: record.access, hostKeys: record.hostKeys, jumps, mayDial },
      pin: (address, hostKey) => hostAccess.pin(record.instanceId, address, hostKey),
    });
    this.client = new AgentClient({ dial: this.dial, token: this.token, timeoutMs: 10_000 });
  }

  get token(): string {
    return this.#options.record.agentToken;
  }

  readonly dial = (): ChannelSocket => this.#reach.dial(AGENT_SOCKET);

  /** Makes the agent answer: connects, and installs or starts it if it does not. */
  readonly prepare = async (report: (stage: string) => void): Promise<void> => {
    try {
      const connection = await this.#reach.connected();
      if (this.#upToDate && (await connection.answers(AGENT_SOCKET))) return;
      await this.#deploy(report);
    } catch (error) {
      throw this.#isBooting ? temporary(errorMessage(error), error) : error;
    }
  };

  /** A new machine gets its users, keys and Docker while it already answers. */
  get #isBooting(): boolean {
    const { vm } = this.#options.record.access;
    return vm !== undefined && !this.#upToDate && performance.now() - this.#since < BOOT_MS;
  }

  /** Installs the agent, or finds it there; may be repeated. Rejects with a `HostError`. */
  async #deploy(progress: (text: string) => void): Promise<void> {
    const { record, serverId, programs, env, purpose = 'jobs' } = this.#options;
    // The first compression of Node takes as long as all other steps.
    programs.warm();
    progress(`Connecting to ${addressOf(record.access.login)}`);
    const connection = await this.#reach.connected();
    progress('Checking the host');
    const host = await preflight(connection, serverId, purpose);
    await checkForwarding(host.shell, record.access.login.port);
    const installed = await putPrograms(host, programs, progress);
    progress('Starting the agent');
    await startHostAgent(host, { serverId, token: this.token, env, installed, purpose });
    await this.#firstAnswer(host);
    this.#upToDate = true;
    progress('Waiting for the agent');
  }

  async remove({ briefly }: { readonly briefly: boolean }): Promise<void> {
    const connect = () => this.#reach.connected();
    const connection = briefly
      ? await withTimeout(connect, { ms: BRIEFLY_MS, onTimeout: notSoon })
      : await connect();
    const sudo = this.#options.record.access.login.user !== 'root';
    await removeAgent(new HostShell(connection, sudo), this.token);
  }

  close(): void {
    this.#reach.close();
  }

  async #firstAnswer(host: Preflight): Promise<AgentInfo> {
    const end = performance.now() + ANSWER_MS;
    let look = performance.now() + LOOK_MS;
    for (let listens = false; ; ) {
      try {
        return await this.client.info();
      } catch (error) {
        const unreachable = error instanceof AgentUnreachable;
        if (unreachable && listens) throw await forbidden(host);
        if (performance.now() > end) throw unreachable ? await noAnswer(host) : asHostError(error);
        // An agent with an older token may still be ending.
        await delay(ASK_AGAIN_MS);
        if (!unreachable || performance.now() < look) continue;
        look = performance.now() + LOOK_MS;
        listens = await agentListens(host);
      }
    }
  }
}

/** The agent listens, but its socket cannot be reached through sshd. */
async function forbidden(host: Preflight): Promise<HostError> {
  const how = await howToAllow(host.shell, 'AllowStreamLocalForwarding');
  return permanent(
    `The host’s sshd forbids forwarding to unix sockets, by which the server reaches the agent: ${how}`,
  );
}

function notSoon(): never {
  throw temporary(`it did not answer within ${BRIEFLY_MS / 1000} seconds`);
}

async function noAnswer(host: Preflight): Promise<HostError> {
  const lines = await lastLogLines(host);
  return temporary(`The agent does not stay up on the host${lines ? `: ${lines}` : ''}`);
}
