import type { Duplex } from 'node:stream';
import { Client } from 'undici';

/** Opens a connection to the app of a job. */
export type OpenApp = () => Promise<Duplex>;

export interface AppRequest {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Most bytes of the answer; more is an error. */
  readonly limit: number;
  readonly signal: AbortSignal;
}

export interface AppAnswer {
  readonly status: number;
  /** The app's answer, parsed as JSON; undefined if it is not JSON. */
  readonly body: unknown;
}

/** One HTTP request over a connection of its own. Rejects if there is no answer. */
export async function requestOver(
  open: OpenApp,
  { method = 'GET', path, body, limit, signal }: AppRequest,
): Promise<AppAnswer> {
  const client = new Client('http://job', {
    maxResponseSize: limit,
    connect: (_options, callback) => {
      open().then(
        (stream) => callback(null, stream as never),
        (error) => callback(error, null),
      );
    },
  });
  try {
    const answer = await client.request({
      ...{ method, path, signal },
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
    return { status: answer.statusCode, body: parsed(await answer.body.text()) };
  } finally {
    await client.destroy();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
