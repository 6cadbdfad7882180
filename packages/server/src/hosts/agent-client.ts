import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import {
  AgentInfo,
  type AgentLease,
  type HostShellKeys,
  type ImagePlan,
  type JobKeys,
  type JobSpecForAgent,
  JobState,
  MAX_EXEC_MESSAGE,
  type MessageSchema,
  type NoticeJob,
  type NoticeWatch,
  type PutGateway,
  PutJobAnswer,
  type PutVolume,
  parseMessage,
  type StartJob,
  type StopJob,
  type UnmountVolume,
  type VolumePlace,
  VolumeRemoval,
  VolumeState,
} from '@dstack/contract/agent';
import {
  AgentRefusal,
  AgentStreams,
  AgentUnreachable,
  agentAnswer,
  agentRefusal,
  type Dial,
  type PortConnection,
} from '@dstack/proxy';
import { WebSocket } from 'ws';

export { AgentRefusal, AgentUnreachable, type Dial, type PortConnection };

export interface AgentClientOptions {
  readonly dial: Dial;
  readonly token: string;
  /** Milliseconds that a command may take; uploads may take as long as bytes move. */
  readonly timeoutMs?: number;
}

/** The limit for opening a connection to a job's port, in milliseconds. */
const PORT_MS = 10_000;

/** Bytes of one frame of the stream; the one with all jobs is the largest. */
const MAX_FRAME = 64 * 1024 * 1024;

/**
 * Idle connections that are kept for the next command. One, since each takes open files for as long as the link lasts: of
 * the server where it dials a socket, and of sshd and the agent. Commands at the same time open more.
 */
const SPARE_CONNECTIONS = 1;

/**
 * The commands of the agent protocol. All of them may be repeated. They use connections that stay
 * open, because opening one through SSH takes as long as the command itself.
 */
export class AgentClient {
  readonly #options: AgentClientOptions;
  readonly #streams: AgentStreams;
  readonly #connections = new HttpAgent({ keepAlive: true, maxFreeSockets: SPARE_CONNECTIONS });

  constructor(options: AgentClientOptions) {
    this.#options = options;
    this.#streams = new AgentStreams(options);
    this.#connections.createConnection = () => options.dial();
  }

  /** Ends the connections. */
  close(): void {
    this.#connections.destroy();
  }

  info(): Promise<AgentInfo> {
    return this.#call('GET', '/v1/info', undefined, parserOf(AgentInfo));
  }

  putJob(spec: JobSpecForAgent): Promise<PutJobAnswer> {
    return this.#call('PUT', `/v1/jobs/${spec.id}`, spec, parserOf(PutJobAnswer));
  }

  /** `AgentRefusal` 404: an agent without support for plans. */
  planImages(plan: ImagePlan): Promise<void> {
    return this.#call('PUT', '/v1/images', plan, nothing);
  }

  /** `AgentRefusal` 404: an agent that opens no shells. */
  openShells(keys: HostShellKeys): Promise<void> {
    return this.#call('PUT', '/v1/host-shell', keys, nothing);
  }

  /** `AgentRefusal` 404: an agent that cannot replace keys. */
  replaceKeys(keys: JobKeys): Promise<void> {
    return this.#call('PUT', '/v1/keys', keys, nothing);
  }

  /** `AgentRefusal` 404: an agent without support for leases. */
  lease(lease: AgentLease): Promise<void> {
    return this.#call('PUT', '/v1/lease', lease, nothing);
  }

  /** `AgentRefusal` 404: an agent that watches for no notices. */
  watchNotices(watch: NoticeWatch): Promise<void> {
    return this.#call('PUT', '/v1/notice-watch', watch, nothing);
  }

  startJob(id: string, body: StartJob): Promise<JobState> {
    return this.#call('POST', `/v1/jobs/${id}/start`, body, parserOf(JobState));
  }

  stopJob(id: string, body: StopJob): Promise<JobState> {
    return this.#call('POST', `/v1/jobs/${id}/stop`, body, parserOf(JobState));
  }

  /** `AgentRefusal` 404, and not `unknown_job`: an agent that gives no notice. */
  noticeJob(id: string, body: NoticeJob): Promise<JobState> {
    return this.#call('PUT', `/v1/jobs/${id}/notice`, body, parserOf(JobState));
  }

  /** Withdraws the notice of `noticeJob`. It has no effect if the answer has a `stop_stage`. */
  withdrawNotice(id: string): Promise<JobState> {
    return this.#call('DELETE', `/v1/jobs/${id}/notice`, undefined, parserOf(JobState));
  }

  deleteJob(id: string): Promise<void> {
    return this.#call('DELETE', `/v1/jobs/${id}`, undefined, nothing);
  }

  /** `AgentRefusal` 404: an agent that keeps no volumes. */
  putVolume(id: string, body: PutVolume): Promise<void> {
    return this.#call('PUT', `/v1/volumes/${id}`, body, nothing);
  }

  /** `AgentRefusal` `unknown_volume`: there is no such directory. */
  volumeState(id: string, place: VolumePlace): Promise<VolumeState> {
    return this.#call('POST', `/v1/volumes/${id}/state`, place, parserOf(VolumeState));
  }

  deleteVolume(id: string, place: VolumePlace): Promise<VolumeRemoval> {
    return this.#call('POST', `/v1/volumes/${id}/delete`, place, parserOf(VolumeRemoval));
  }

  /** `AgentRefusal` 404: an agent that mounts no devices. */
  unmountVolume(id: string, body: UnmountVolume): Promise<void> {
    return this.#call('POST', `/v1/volumes/${id}/unmount`, body, nothing);
  }

  /** `AgentRefusal` 404: an agent without gateways. */
  putGateway(id: string, body: PutGateway): Promise<void> {
    return this.#call('PUT', `/v1/gateways/${id}`, body, nothing);
  }

  deleteGateway(id: string): Promise<void> {
    return this.#call('DELETE', `/v1/gateways/${id}`, undefined, nothing);
  }

  /** A connection to the program of a gateway. Rejects like `openSsh`. */
  async openGateway(id: string): Promise<Duplex> {
    return await this.#streams.open(`/v1/gateways/${id}/link`);
  }

  uploadArchive(id: string, archiveId: string, content: Readable): Promise<void> {
    return this.#send('PUT', `/v1/jobs/${id}/archives/${archiveId}`, content, nothing);
  }

  uploadCode(id: string, content: Readable): Promise<void> {
    return this.#send('PUT', `/v1/jobs/${id}/code`, content, nothing);
  }

  /** The push stream. The caller listens for `open`, `message`, `close` and `error`. */
  openStream(): WebSocket {
    return new WebSocket('ws://agent/v1/stream', {
      headers: this.#headers(),
      perMessageDeflate: false,
      maxPayload: MAX_FRAME,
      createConnection: this.#options.dial as never,
    });
  }

  /** Commands in a running job, see `ExecInput`. Rejects like `openPort`. */
  openExec(id: string): Promise<WebSocket> {
    const path = `/v1/jobs/${id}/exec`;
    const webSocket = new WebSocket(`ws://agent${path}`, {
      headers: this.#headers(),
      perMessageDeflate: false,
      maxPayload: MAX_EXEC_MESSAGE,
      handshakeTimeout: PORT_MS,
      createConnection: this.#options.dial as never,
    });
    return new Promise((resolve, reject) => {
      const unreachable = (error: Error) =>
        reject(new AgentUnreachable(`${path}: ${error.message}`, { cause: error }));
      webSocket.on('error', unreachable);
      webSocket.once('unexpected-response', (_, response) => {
        void agentAnswer(response)
          .then((body) => reject(agentRefusal(response.statusCode ?? 0, body)), unreachable)
          .finally(() => webSocket.terminate());
      });
      webSocket.once('open', () => resolve(webSocket));
    });
  }

  /**
   * A connection to a port of a running job. Rejects with `AgentRefusal` (`port_refused`: nothing
   * listens there; `not_running`, `unknown_job`) or `AgentUnreachable`.
   */
  async openPort(id: string, port: number): Promise<PortConnection> {
    return await this.#streams.openPort(id, port);
  }

  /**
   * A connection to the job's own SSH server. Rejects with `AgentRefusal` (`not_running`: the job has
   * not started; `unknown_job`; `not_found`: an older agent) or `AgentUnreachable`.
   */
  async openSsh(id: string): Promise<Duplex> {
    return await this.#streams.open(`/v1/jobs/${id}/ssh`);
  }

  /**
   * A connection that a process of the job has opened to the server, see `AgentFrame` `tunnel`.
   * Rejects with `AgentRefusal` (`unknown_tunnel`: the process no longer waits) or
   * `AgentUnreachable`.
   */
  async openTunnel(id: string, tunnel: string): Promise<Duplex> {
    return await this.#streams.open(`/v1/jobs/${id}/tunnels/${tunnel}`);
  }

  #headers(): Record<string, string> {
    return { authorization: `Bearer ${this.#options.token}`, host: 'agent' };
  }

  #call<T>(method: string, path: string, body: unknown, parse: Parse<T>): Promise<T> {
    return this.#send(method, path, body === undefined ? null : JSON.stringify(body), parse);
  }

  #send<T>(
    method: string,
    path: string,
    body: string | Readable | null,
    parse: Parse<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const unreachable = (error: Error) =>
        reject(new AgentUnreachable(`${method} ${path}: ${error.message}`, { cause: error }));
      const request = httpRequest({
        method,
        path,
        agent: this.#connections,
        headers: {
          ...this.#headers(),
          ...(typeof body === 'string' && {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          }),
        },
        timeout: this.#options.timeoutMs ?? 30_000,
      });
      request.on('timeout', () => request.destroy(new Error('no answer in time')));
      request.on('error', unreachable);
      request.on('response', (response) => {
        void agentAnswer(response)
          .then((answer) => {
            const status = response.statusCode ?? 0;
            if (status >= 400) throw agentRefusal(status, answer);
            resolve(parse(answer === '' ? undefined : JSON.parse(answer)));
          })
          .catch((error) => (error instanceof AgentRefusal ? reject(error) : unreachable(error)));
      });
      if (body === null || typeof body === 'string') request.end(body ?? undefined);
      else body.on('error', (error) => request.destroy(error)).pipe(request);
    });
  }
}

type Parse<T> = (value: unknown) => T;

const parserOf =
  <S extends MessageSchema>(schema: S) =>
  (value: unknown) =>
    parseMessage(schema, value);

function nothing(): void {}
