import { request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import type { JobSpec } from '@dstack/contract/wire';
import { AgentRefusal } from '../hosts/agent-client.ts';

export type ProbeSettings = NonNullable<JobSpec['probes']>[number];

/** The request of a probe. */
export type ProbeRequest = Pick<ProbeSettings, 'url' | 'method' | 'headers' | 'body' | 'timeout'>;

/** `not-listening`: nothing accepts a connection, as is usual while an app starts. */
export type ProbeResult = 'well' | 'unwell' | 'not-listening';

/**
 * Sends one probe: success is an answer of 2xx within the probe's time; redirects are not followed.
 * `fill` inserts secrets into texts. Never rejects.
 */
export async function probe(
  spec: ProbeRequest,
  open: () => Promise<Duplex>,
  fill: (text: string) => string,
): Promise<ProbeResult> {
  const { promise, resolve } = Promise.withResolvers<ProbeResult>();
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), spec.timeout * 1000);
  over.signal.addEventListener('abort', () => resolve('unwell'));
  try {
    void ask(spec, open, fill, over.signal).then(
      (isWell) => resolve(isWell ? 'well' : 'unwell'),
      (error) => resolve(isRefusal(error) ? 'not-listening' : 'unwell'),
    );
    return await promise;
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}

const isRefusal = (error: unknown): boolean =>
  error instanceof AgentRefusal && error.code === 'port_refused';

async function ask(
  spec: ProbeRequest,
  open: () => Promise<Duplex>,
  fill: (text: string) => string,
  signal: AbortSignal,
): Promise<boolean> {
  const body = spec.body == null ? undefined : fill(spec.body);
  const headers: string[] = ['Host', 'dstack'];
  for (const { name, value } of spec.headers) headers.push(name, fill(value));
  if (body !== undefined) headers.push('Content-Length', String(Buffer.byteLength(body)));
  headers.push('Connection', 'close');
  const path = fill(spec.url);
  const connection = await open();
  connection.on('error', () => connection.destroy());
  signal.addEventListener('abort', () => connection.destroy());
  if (signal.aborted) connection.destroy();
  return await new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      method: spec.method.toUpperCase(),
      path,
      headers,
      createConnection: () => connection as never,
    });
    outgoing.on('error', reject);
    outgoing.on('response', ({ statusCode = 0 }) => resolve(statusCode >= 200 && statusCode < 300));
    outgoing.end(body);
  });
}
