import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SpooledBody } from './spooled-body.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dstack-spool-'));
});
afterAll(() => rm(dir, { recursive: true }));

it.each([
  [3, 10],
  [3, 100_000],
  [40, 100_000],
])(
  '%i pieces of %i bytes are read as written, more than once, with a text inserted',
  async (pieces, size) => {
    const body = new SpooledBody(dir);
    const written: Buffer[] = [];
    for (let n = 0; n < pieces; n++) {
      const piece = Buffer.alloc(size, n % 251);
      written.push(piece);
      await body.write(piece);
    }
    const all = Buffer.concat(written);
    expect(await readdir(dir)).toEqual([]);
    expect((await buffer(body.read())).equals(all)).toBe(true);
    for (const at of [0, 1, size, all.length - 1]) {
      body.insert(at, 'hello');
      const expected = Buffer.concat([all.subarray(0, at), Buffer.from('hello'), all.subarray(at)]);
      expect(body.size).toBe(expected.length);
      const [one, two] = await Promise.all([buffer(body.read()), buffer(body.read())]);
      expect(one.equals(expected) && two.equals(expected)).toBe(true);
    }
    await body.dispose();
  },
);
