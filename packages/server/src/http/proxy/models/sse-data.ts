import type { Readable } from 'node:stream';
import { brokenOff } from './read-answer.ts';

/** Longer lines are no events of a model. */
const MAX_LINE = 1024 * 1024;

/**
 * The `data` of each event as it comes, without the blank after the colon; other fields are left out.
 * Throws `ProxyRefusal` if the connection breaks.
 */
export async function* sseData(body: Readable): AsyncIterable<string> {
  let rest = '';
  for await (const part of parts(body)) {
    const lines = (rest + part).split(/\r\n|\n|\r/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const data = dataOf(line);
      if (data !== null) yield data;
    }
    if (rest.length > MAX_LINE) throw new Error('a line of the stream does not end');
  }
  const last = dataOf(rest);
  if (last !== null) yield last;
}

async function* parts(body: Readable): AsyncIterable<string> {
  try {
    yield* body.setEncoding('utf8') as AsyncIterable<string>;
  } catch (error) {
    throw brokenOff(error);
  }
}

function dataOf(line: string): string | null {
  return line.startsWith('data:') ? line.slice('data:'.length).trim() : null;
}
