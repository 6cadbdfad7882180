import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { compressedNode } from './compressed-node.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'node-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const cache = () => join(dir, 'cache');

function binary(content: string | Buffer): string {
  const path = join(dir, 'node');
  writeFileSync(path, content);
  return path;
}

it('returns the binary under the name of its content', async () => {
  const program = await compressedNode('x64', binary('one'), cache());
  expect(program).toMatchObject({ name: 'node-7692c3ad3540bb80', unpacked: 3 });
  expect(gunzipSync(await buffer(program.open())).toString()).toBe('one');
});

it('returns a large binary completely, in one file for `gunzip`', async () => {
  const large = Buffer.alloc(20_000_000, 'no two pieces of it are the same length ');
  const program = await compressedNode('x64', binary(large), cache());
  const unpacked = execFileSync('gunzip', {
    input: await buffer(program.open()),
    maxBuffer: 2 ** 28,
  });
  expect(unpacked.equals(large)).toBe(true);
});

it('keeps one for each architecture, and none of earlier versions', async () => {
  await compressedNode('arm64', binary('other'), cache());
  writeFileSync(join(cache(), 'node-0123456789abcdef.gz'), 'of a server before');
  writeFileSync(join(cache(), 'node-x64-0123456789abcdef.gz.4711'), 'of a server that was killed');
  writeFileSync(join(cache(), 'node-arm64.tgz'), 'something else');
  const old = await compressedNode('x64', binary('one'), cache());
  const reading = old.open();
  await new Promise((resolve) => reading.once('open', resolve));
  const present = await compressedNode('x64', binary('two'), cache());
  const files = readdirSync(cache()).filter((name) => name.includes('.gz'));
  expect(files).toEqual([
    expect.stringMatching(/^node-arm64-/),
    `node-x64-${present.name.slice('node-'.length)}.gz`,
  ]);
  expect(readdirSync(cache())).toContain('node-arm64.tgz');
  expect(gunzipSync(await buffer(reading)).toString()).toBe('one');
});
