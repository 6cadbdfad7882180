import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type {
  AgentInfo,
  ImagePlan,
  JobSpecForAgent,
  JobState,
  PutJobAnswer,
  StartJob,
  StopJob,
} from '@dstack/contract/agent';
import { WebSocket } from 'ws';

/** How to reach an agent's socket: straight, or through a channel of an SSH connection. */
export type Dial = () => Duplex;

/** The agent answered, and said no. `code` is for programs, the message for people. */
export class AgentRefusal extends Error {
  override name = 'AgentRefusal';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** No answer: the connection failed, broke, or took too long. Whether it was carried out is unknown. */
export class AgentUnreachable extends Error {
  override name = 'AgentUnreachable';
}

export interface PortConnection {
  readonly stream: Duplex;
  /** Loopback address of the agent's machine that is the job's own; null = it has none. */
  readonly ownAddress: string | null;
}

export interface AgentClientOptions {
  readonly dial: Dial;
  readonly token: string;
  /** Milliseconds a command may take; uploads take as long as bytes move. */
  readonly timeoutMs?: number;
}

/** A connection to a job's port is there within this time, in milliseconds, or not at all. */
const PORT_MS = 10_000;

/** Connections that wait for the next command. */
const SPARE_CONNECTIONS = 4;

/**
 * The commands of the agent protocol. All of them may be repeated. They go over connections that
 * stay open: to open one through SSH takes as long as the command itself.
 */
export class AgentClient {
  readonly #options: AgentClientOptions;
  readonly #connections = new HttpAgent({ keepAlive: true, maxFreeSockets: SPARE_CONNECTIONS });

  constructor(options: AgentClientOptions) {
    this.#options = options;
    this.#connections.createConnection = () => options.dial();
  }

  /** Ends the connections. */
  close(): void {
    this.#connections.destroy();
  }

  info(): Promise<AgentInfo> {
    return this.#call('GET', '/v1/info');
  }

  putJob(spec: JobSpecForAgent): Promise<PutJobAnswer> {
    return this.#call('PUT', `/v1/jobs/${spec.id}`, spec);
  }

  /** `AgentRefusal` 404: an agent of before there were plans. */
  planImages(plan: ImagePlan): Promise<void> {
    return this.#call('PUT', '/v1/images', plan);
  }

  startJob(id: string, body: StartJob): Promise<JobState> {
    return this.#call('POST', `/v1/jobs/${id}/start`, body);
  }

  stopJob(id: string, body: StopJob): Promise<JobState> {
    return this.#call('POST', `/v1/jobs/${id}/stop`, body);
  }

  deleteJob(id: string): Promise<void> {
    return this.#call('DELETE', `/v1/jobs/${id}`);
  }

  uploadArchive(id: string, archiveId: string, content: Readable): Promise<void> {
    return this.#send('PUT', `/v1/jobs/${id}/archives/${archiveId}`, content);
  }

  uploadCode(id: string, content: Readable): Promise<void> {
    return this.#send('PUT', `/v1/jobs/${id}/code`, content);
  }

  /** The push stream. The caller listens for `open`, `message`, `close` and `error`. */
  openStream(): WebSocket {
    return new WebSocket('ws://agent/v1/stream', {
      headers: this.#headers(),
      perMessageDeflate: false,
      createConnection: this.#options.dial as never,
    });
  }

  /**
   * A connection to a port of a running job. Rejects with `AgentRefusal` (`port_refused`: nothing
   * listens there; `not_running`, `unknown_job`) or `AgentUnreachable`.
   */
  openPort(id: string, port: number): Promise<PortConnection> {
    const path = `/v1/jobs/${id}/ports/${port}`;
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        path,
        createConnection: () => this.#options.dial() as never,
        headers: { ...this.#headers(), connection: 'Upgrade', upgrade: 'tcp' },
        timeout: PORT_MS,
      });
      request.on('timeout', () => request.destroy(new Error('no answer in time')));
      request.on('error', (error) =>
        reject(new AgentUnreachable(`port ${port} of a job: ${error.message}`, { cause: error })),
      );
      request.on('response', (response) => {
        void text(response).then(
          (body) => reject(refusal(response.statusCode ?? 0, body)),
          (error) => reject(new AgentUnreachable(String(error), { cause: error })),
        );
      });
      request.on('upgrade', ({ headers }, stream, head) => {
        stream.removeAllListeners('timeout');
        stream.setTimeout(0);
        if (head.length > 0) stream.unshift(head);
        const own = headers['dstack-address'];
        resolve({ stream, ownAddress: typeof own === 'string' ? own : null });
      });
      request.end();
    });
  }

  #headers(): Record<string, string> {
    return { authorization: `Bearer ${this.#options.token}`, host: 'agent' };
  }

  #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#send(method, path, body === undefined ? null : JSON.stringify(body));
  }

  #send<T>(method: string, path: string, body: string | Readable | null): Promise<T> {
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
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', unreachable);
        response.on('end', () => {
          const body = Buffer.concat(chunks).toString('utf8');
          const status = response.statusCode ?? 0;
          if (status >= 400) return reject(refusal(status, body));
          try {
            resolve((body ? JSON.parse(body) : undefined) as T);
          } catch (error) {
            unreachable(error as Error);
          }
        });
      });
      if (body === null || typeof body === 'string') request.end(body ?? undefined);
      else body.on('error', (error) => request.destroy(error)).pipe(request);
    });
  }
}

function refusal(status: number, body: string): AgentRefusal {
  try {
    const { code, message } = JSON.parse(body);
    return new AgentRefusal(status, String(code), String(message));
  } catch {
    // Not one of the agent's own answers.
    return new AgentRefusal(status, 'error', body.slice(0, 500) || `HTTP status ${status}`);
  }
}
