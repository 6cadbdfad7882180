import { request as httpRequest } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import type {
  AgentInfo,
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

export interface AgentClientOptions {
  readonly dial: Dial;
  readonly token: string;
  /** Milliseconds a command may take; uploads take as long as bytes move. */
  readonly timeoutMs?: number;
}

/** The commands of the agent protocol. All of them may be repeated. */
export class AgentClient {
  readonly #options: AgentClientOptions;

  constructor(options: AgentClientOptions) {
    this.#options = options;
  }

  info(): Promise<AgentInfo> {
    return this.#call('GET', '/v1/info');
  }

  putJob(spec: JobSpecForAgent): Promise<PutJobAnswer> {
    return this.#call('PUT', `/v1/jobs/${spec.id}`, spec);
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
        createConnection: () => this.#options.dial() as never,
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
          const text = Buffer.concat(chunks).toString('utf8');
          const status = response.statusCode ?? 0;
          if (status >= 400) reject(refusal(status, text));
          else resolve((text ? JSON.parse(text) : undefined) as T);
        });
      });
      if (body === null || typeof body === 'string') request.end(body ?? undefined);
      else body.on('error', (error) => request.destroy(error)).pipe(request);
    });
  }
}

function refusal(status: number, text: string): AgentRefusal {
  try {
    const { code, message } = JSON.parse(text);
    return new AgentRefusal(status, String(code), String(message));
  } catch {
    // Not one of the agent's own answers.
    return new AgentRefusal(status, 'error', text.slice(0, 500) || `HTTP status ${status}`);
  }
}
