/** The last message of a pod that has ended. Its log is a stream of events that never ends. */
import { plainText } from '@dstack/contract';
import { LAUNCHER_PREFIX } from '../base/container-cloud/launcher.ts';
import type { RestClientOptions } from '../base/rest-vm/rest-client.ts';

export interface LogClient extends Pick<RestClientOptions, 'endpoint' | 'limiter' | 'fetch'> {
  readonly headers: () => Readonly<Record<string, string>>;
}

/** Older lines come at once. */
const LIMIT_MS = 3000;
const MAX_BYTES = 256 * 1024;
const SHOWN = 300;

/** The last line of the launcher, otherwise of the container; null = none, or the provider does not answer. */
export async function lastLineOf(
  { endpoint, headers, limiter, fetch: send = fetch }: LogClient,
  path: string,
): Promise<string | null> {
  try {
    await limiter.turn('look');
    const response = await send(`${endpoint}${path}`, {
      headers: { accept: 'text/event-stream', ...headers() },
      redirect: 'error',
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    if (!response.ok || response.body === null) return null;
    return lastLine(await textOf(response.body));
  } catch {
    return null;
  }
}

/** Until the time is over. */
async function textOf(body: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MAX_BYTES) break;
    }
  } catch {
    // The time is over: what has come is the answer.
  }
  return text;
}

function lastLine(events: string): string | null {
  const lines = events.split('\n').flatMap((line) => lineIn(line) ?? []);
  const ours = lines.filter((line) => line.startsWith(LAUNCHER_PREFIX));
  const last = ours.at(-1)?.slice(LAUNCHER_PREFIX.length) ?? lines.at(-1) ?? null;
  return last && plainText(last).trim().slice(0, SHOWN);
}

/** Null: it is another part of the event, or an empty line. */
function lineIn(text: string): string | null {
  if (!text.startsWith('data:')) return null;
  try {
    const { line } = JSON.parse(text.slice('data:'.length)) as { readonly line?: unknown };
    return typeof line === 'string' && line.trim() !== '' ? line : null;
  } catch {
    return null;
  }
}
