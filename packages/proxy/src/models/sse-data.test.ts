import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { ProxyRefusal } from '../refusals/refusal.ts';
import { sseData } from './sse-data.ts';

const MIB = 1024 * 1024;

async function dataIn(parts: Iterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const data of sseData(Readable.from(parts))) found.push(data);
  return found;
}

describe('events of a model', () => {
  it('may have lines of any ending, however the stream is cut', async () => {
    const stream = 'data: a\r\ndata:b\n\nevent: x\rdata: c';
    expect(await dataIn([stream])).toEqual(['a', 'b', 'c']);
    expect(await dataIn([...stream])).toEqual(['a', 'b', 'c']);
  });

  it('are refused if a line does not end', async () => {
    const stream = dataIn(['data: ', 'x'.repeat(MIB), 'x', '\n']);
    await expect(stream).rejects.toBeInstanceOf(ProxyRefusal);
  });

  it('cost the same per byte when a long line comes in tiny pieces', async () => {
    const line = 'data: '.padEnd(250_000, 'x');
    expect(await dataIn([...line, '\n'])).toEqual([line.slice('data: '.length)]);
  });
});
