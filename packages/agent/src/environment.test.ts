import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readEnvironment } from './environment.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'environment-'));
  path = join(dir, 'environment.json');
});
afterEach(() => rmSync(dir, { recursive: true }));

it('takes values as they are, and nothing that is not a variable', () => {
  const env = { HTTPS_PROXY: 'http://p', LINES: "a\n'b' $c `d`\nDSTACK_LAUNCHER\n" };
  const others = { 'A B': 'x', '1A': 'x', N: 1, DSTACK_AGENT_NODE: 'sh', Z: 'a\0b' };
  writeFileSync(path, JSON.stringify({ ...env, ...others }));
  expect(readEnvironment(path)).toEqual(env);
});

it('is empty without a file, and reports a file with other content', () => {
  expect(readEnvironment(path)).toEqual({});
  writeFileSync(path, '[]');
  expect(() => readEnvironment(path)).toThrow('is not a JSON object of variables');
});
