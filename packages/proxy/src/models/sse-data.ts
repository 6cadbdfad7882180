import type { Readable } from 'node:stream';
import { ProxyRefusal } from '../refusals/refusal.ts';
import { connectionBroken } from './read-answer.ts';

/** Characters; longer lines are not events of a model. */
const MAX_LINE = 1024 * 1024;

const LINE_END = /\r\n|\n|\r/;

/**
 * The `data` of each event as it arrives, without the blank after the colon; other fields are
 * ignored. Throws `ProxyRefusal` if the connection breaks or a line is too long.
 */
export async function* sseData(body: Readable): AsyncIterable<string> {
  let rest = '';
  for await (const part of parts(body)) {
    const lines = part.split(LINE_END);
    // Only the new part is searched: a long line may come in many small parts.
    lines[0] = rest + lines[0];
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const data = dataOf(line);
      if (data !== null) yield data;
    }
    if (rest.length > MAX_LINE) throw new ProxyRefusal(502, 'Invalid chunk in model stream');
  }
  const last = dataOf(rest);
  if (last !== null) yield last;
}

async function* parts(body: Readable): AsyncIterable<string> {
  try {
    yield* body.setEncoding('utf8') as AsyncIterable<string>;
  } catch (error) {
    throw connectionBroken(error);
  }
}

function dataOf(line: string): string | null {
  return line.startsWith('data:') ? line.slice('data:'.length).trim() : null;
}
