import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { isIPv4 } from 'node:net';
import type { Duplex } from 'node:stream';
import type { AgentErrorBody } from '@dstack/contract/agent';

/** How to reach an agent's socket: directly, or through a channel of an SSH connection. */
export type Dial = () => Duplex;

/** The agent refused a command. `code` is for programs, the message for people. */
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

/**
 * No answer: the connection failed, broke, or took too long. Whether the command was carried out is
 * unknown.
 */
export class AgentUnreachable extends Error {
  override name = 'AgentUnreachable';
}

export interface PortConnection {
  readonly stream: Duplex;
  /** The loopback address on the agent's host that only this job uses; null = it has none. */
  readonly ownAddress: string | null;
}

export interface AgentStreamsOptions {
  readonly dial: Dial;
  readonly token: string;
}

/** The limit for opening a connection, in milliseconds. */
const PORT_MS = 10_000;

/** Bytes of an answer. */
const MAX_ANSWER = 1024 * 1024;

/** Connections through an agent, each over one of its own to the agent. */
export class AgentStreams {
  readonly #options: AgentStreamsOptions;

  constructor(options: AgentStreamsOptions) {
    this.#options = options;
  }

  /**
   * A connection to a port of a running job. Rejects with `AgentRefusal` (`port_refused`: nothing
   * listens there; `not_running`, `unknown_job`) or `AgentUnreachable`.
   */
  async openPort(id: string, port: number): Promise<PortConnection> {
    const { stream, headers } = await this.#upgrade(`/v1/jobs/${id}/ports/${port}`);
    const own = headers['dstack-address'];
    const isLoopback = typeof own === 'string' && isIPv4(own) && own.startsWith('127.');
    return { stream, ownAddress: isLoopback ? own : null };
  }

  /** A connection that begins with the bytes after the answer. Rejects like `openPort`. */
  async open(path: string): Promise<Duplex> {
    return (await this.#upgrade(path)).stream;
  }

  #upgrade(path: string): Promise<{ stream: Duplex; headers: IncomingHttpHeaders }> {
    const { dial, token } = this.#options;
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        path,
        createConnection: () => dial() as never,
        headers: {
          ...{ authorization: `Bearer ${token}`, host: 'agent' },
          connection: 'Upgrade',
          upgrade: 'tcp',
        },
      });
      // Node ignores the option `timeout` for connections that it did not open itself.
      const limit = setTimeout(() => request.destroy(new Error('no answer in time')), PORT_MS);
      request.on('close', () => clearTimeout(limit));
      request.on('error', (error) =>
        reject(new AgentUnreachable(`${path}: ${error.message}`, { cause: error })),
      );
      request.on('response', (response) => {
        void agentAnswer(response).then(
          (body) => reject(agentRefusal(response.statusCode ?? 0, body)),
          (error) => reject(new AgentUnreachable(String(error), { cause: error })),
        );
      });
      request.on('upgrade', ({ headers }, stream, head) => {
        clearTimeout(limit);
        if (head.length > 0) stream.unshift(head);
        resolve({ stream, headers });
      });
      request.end();
    });
  }
}

/** The body of an answer. */
export async function agentAnswer(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER) throw new Error(`the answer is over ${MAX_ANSWER} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** `body`: of an answer of 400 or more. */
export function agentRefusal(status: number, body: string): AgentRefusal {
  try {
    const { code, message } = JSON.parse(body) as Partial<AgentErrorBody>;
    // By hand: schemas would be all that a worker loads zod for.
    if (typeof code === 'string' && typeof message === 'string') {
      return new AgentRefusal(status, shown(code), shown(message));
    }
  } catch {
    // The answer does not come from the agent.
  }
  return new AgentRefusal(status, 'error', shown(body) || `HTTP status ${status}`);
}

/** The error text of a host, cleaned for logs and terminals. */
function shown(text: string): string {
  return text.slice(0, 2000).replaceAll(/\p{Cc}+/gu, ' ');
}
