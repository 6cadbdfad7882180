import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tarOf } from './tar.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tar-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const main = { name: 'main.js', bytes: Buffer.alloc(1_000_001, 'a program ') };
const token = { name: 'token', bytes: Buffer.from('secret\n'), mode: 0o600 };
const empty = { name: 'empty', bytes: Buffer.alloc(0), mode: 0o644 };

it('an archive is unpacked by `tar` with the bytes and the rights of its files', async () => {
  execFileSync('tar', ['-xf', '-', '-C', dir], { input: await tarOf([main, token, empty]) });
  for (const { name, bytes } of [main, token, empty]) {
    expect(readFileSync(join(dir, name)).equals(bytes)).toBe(true);
  }
  const rights = (name: string) => statSync(join(dir, name)).mode & 0o777;
  // Root keeps the rights as they are; other users apply their umask.
  expect(rights('main.js') & 0o100).toBe(0o100);
  expect(rights('token')).toBe(0o600);
});

it('equal files make equal archives', async () => {
  const [one, other] = [await tarOf([main, token]), await tarOf([main, token])];
  expect(one.equals(other)).toBe(true);
});
