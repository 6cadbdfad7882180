import { hash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { isJobFinished } from '@dstack/contract/status';
import type { Id, JobRecord, Timestamp } from '@dstack/core';
import { networkOf } from '@dstack/proxy';
import { authenticate, joinChannel, type Login, refuseChannel, SshListener } from '@dstack/ssh';
import type { Store } from '@dstack/store';
import type { Connection } from 'ssh2';
import type { AccessWatch, Admission } from '../access/access-watch.ts';
import { OpenCalls } from '../callers/open-calls.ts';
import type { SignInGuard } from '../callers/sign-in-guard.ts';
import { type AgentClient, AgentRefusal, AgentUnreachable } from '../hosts/agent-client.ts';
import { Pace } from '../job-tunnels/pace.ts';
import type { RunChanges } from '../loops/run-changes.ts';
import type { Logger } from '../process/logging.ts';
import { EndedJobServer, type EndedJobServerOptions } from './ended-job-server.ts';
import { isJobTarget } from './entry-route.ts';
import { type EntryUser, JobLogins } from './job-logins.ts';

export interface SshEntryOptions {
  readonly store: Pick<Store, 'jobs' | 'users' | 'projects' | 'instances'>;
  /** Null: this server cannot reach the host. */
  readonly client: (hostId: string) => Pick<AgentClient, 'openSsh'> | null;
  readonly access: Pick<AccessWatch, 'admit'>;
  readonly signIns: Pick<SignInGuard, 'fromAddress'>;
  readonly changes: Pick<RunChanges, 'watch'>;
  readonly logs: EndedJobServerOptions['logs'];
  readonly hostKeyPem: string;
  readonly now: () => Timestamp;
  readonly log: Logger;
  readonly limits?: Partial<SshEntryLimits>;
}

export interface SshEntryLimits {
  /** Milliseconds until a connection must have logged in. */
  readonly loginMs: number;
  /** Connections without a login, of one network and of all. */
  readonly loginsOfNetwork: number;
  readonly logins: number;
  /** New connections of one network. */
  readonly burst: number;
  readonly perSecond: number;
  /** Connections with a login, of one user and of all. */
  readonly perUser: number;
  readonly total: number;
  /** Channels of one connection. */
  readonly channels: number;
}

const LIMITS: SshEntryLimits = {
  loginMs: 20_000,
  loginsOfNetwork: 20,
  logins: 200,
  burst: 60,
  perSecond: 10,
  perUser: 64,
  total: 2000,
  channels: 32,
};

/** Why a client gets no connection to its job; the text is printed by OpenSSH. */
class EntryRefusal extends Error {
  override name = 'EntryRefusal';
}

const NO_SHELL = 'this server opens no shell: use `dstack attach` or `dstack ssh`';
const OTHER_TARGET = 'this server leads only to the SSH server of the job';

/**
 * The SSH entry of the server, for clients that cannot connect to the machine of a job: the login name
 * is the id of the job, the key one that opens the run, and the only thing a client can do is to connect
 * to the job's own SSH server (`ssh -J`), which asks for a key again. The entry itself runs nothing and
 * sees only encrypted bytes, except for the output of ended jobs, which the server has.
 */
export class SshEntry {
  readonly #options: SshEntryOptions;
  readonly #limits: SshEntryLimits;
  readonly #listener: SshListener;
  readonly #logins: JobLogins;
  readonly #ended: EndedJobServer;
  readonly #open: OpenCalls;
  readonly #pace: Pace;
  /** Connections that have not logged in yet, by network. */
  readonly #pending = new Map<string, number>();
  #connections = 0;

  constructor(options: SshEntryOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#logins = new JobLogins(options);
    this.#ended = new EndedJobServer({
      ...{ logs: options.logs, hostKeyPem: options.hostKeyPem, channels: this.#limits.channels },
      find: (jobId, blob) => this.#logins.find(jobId, blob),
    });
    this.#open = new OpenCalls(this.#limits);
    this.#pace = new Pace(this.#limits, () => options.now() / 1000);
    this.#listener = new SshListener({
      hostKeyPem: options.hostKeyPem,
      loginMs: this.#limits.loginMs,
      maxLogins: this.#limits.logins,
      maxChannels: this.#limits.channels,
      enter: (address) => this.#enter(networkOf(address)),
      serve: (client, login) => this.#serve(client, login),
    });
  }

  /** Returns the port. Rejects with Node's own error. */
  listen(host: string, port: number): Promise<number> {
    return this.#listener.listen(host, port);
  }

  /** Ends all connections. */
  close(): Promise<void> {
    return this.#listener.close();
  }

  /** Connections with a login. */
  get connections(): number {
    return this.#connections;
  }

  #enter(network: string): (() => void) | null {
    const pending = this.#pending.get(network) ?? 0;
    if (pending >= this.#limits.loginsOfNetwork || this.#pace.wait(network) > 0) return null;
    this.#pending.set(network, pending + 1);
    return () => {
      const left = (this.#pending.get(network) ?? 1) - 1;
      if (left > 0) this.#pending.set(network, left);
      else this.#pending.delete(network);
    };
  }

  #serve(client: Connection, login: Login): void {
    const lookUp = this.#options.signIns.fromAddress(login.address);
    authenticate(
      client,
      (blob, name) => lookUp(fingerprint(name, blob), () => this.#logins.find(name, blob)),
      async ({ jobId, blob }) => {
        await this.#admit(client, login, jobId, blob);
        login.done();
      },
    );
  }

  /** Rejects if the key does not open the job, or the user has too many connections. */
  async #admit(client: Connection, login: Login, jobId: Id, blob: Buffer): Promise<void> {
    const { access, changes, log } = this.#options;
    const leaving: (() => void)[] = [];
    let isClosed = false;
    client.once('close', () => {
      isClosed = true;
      for (const leave of leaving) leave();
    });
    const about = { job: jobId, address: login.address };
    const onRevoked = () => {
      log.info(about, 'SSH entry: access to the job has ended');
      login.hangUp();
    };
    const check = () => this.#logins.check(jobId, blob);
    const admission: Admission<EntryUser> = await access.admit(check, onRevoked);
    leaving.push(() => admission.release());
    if (!isClosed) {
      leaving.push(this.#open.enter(admission.caller.userId, tooMany));
      leaving.push(changes.watch(admission.caller.runId, () => admission.recheck()));
      // The job may have ended since the check.
      admission.recheck();
    }
    if (isClosed) {
      for (const leave of leaving) leave();
      return;
    }
    this.#connections += 1;
    client.once('close', () => {
      this.#connections -= 1;
    });
    log.info({ ...about, user: admission.caller.userId }, 'SSH entry: a user has connected');
    client.on('session', (_accept, reject) => refuseChannel(client, reject, NO_SHELL));
    client.on('tcpip', (accept, reject, { destIP, destPort }) => {
      this.#connect(jobId, destIP, destPort).then(
        (stream) => {
          stream.on('error', () => stream.destroy());
          const channel = isClosed ? null : accept();
          if (channel) joinChannel(channel, stream);
          else stream.destroy();
        },
        (error: unknown) => {
          const text = this.#reasonOf(error, about);
          if (!isClosed) refuseChannel(client, reject, text);
        },
      );
    });
  }

  /** Rejects with `EntryRefusal` or the error of the agent. */
  async #connect(jobId: Id, host: string, port: number): Promise<Duplex> {
    const { store, client } = this.#options;
    const view = await store.jobs.byId(jobId);
    if (!view || !isJobTarget(host, port, view.job.provisioningData)) {
      throw new EntryRefusal(OTHER_TARGET);
    }
    if (isJobFinished(view.job.status)) return await this.#ended.open(view);
    const hostId = await this.#hostOf(view.job);
    if (hostId === null) throw new EntryRefusal(`the job is on no host: it is ${view.job.status}`);
    const agent = client(hostId);
    if (agent === null) throw new AgentUnreachable('no link');
    return await agent.openSsh(jobId);
  }

  async #hostOf({ instanceId }: JobRecord): Promise<string | null> {
    if (instanceId === null) return null;
    const [instance] = await this.#options.store.instances.byIds([instanceId]);
    return instance?.hostId ?? null;
  }

  #reasonOf(error: unknown, about: object): string {
    if (error instanceof EntryRefusal) return error.message;
    if (error instanceof AgentUnreachable) {
      return 'the host of the job is unreachable now: try again in a moment';
    }
    if (error instanceof AgentRefusal) {
      return error.code === 'not_found'
        ? 'the agent on the host of the job is too old for the SSH entry'
        : error.message;
    }
    this.#options.log.error({ ...about, err: error }, 'SSH entry: a connection failed');
    return 'the server failed';
  }
}

const tooMany = (whose: string) => new EntryRefusal(`${whose} connections open already`);

/** Identifies a login by its name and key, for the guard against guessing. */
function fingerprint(name: string, blob: Buffer): string {
  return `ssh ${name.slice(0, 64)} ${hash('sha256', blob, 'base64')}`;
}
