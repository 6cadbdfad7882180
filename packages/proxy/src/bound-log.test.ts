import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { boundLog } from './bound-log.ts';

it('a log that has grown is cut while it is written, and its earlier part is kept', () => {
  const dir = mkdtempSync(join(tmpdir(), 'dstack-log-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'log');
  boundLog(path, 10);
  const writer = openSync(path, 'a');
  writeSync(writer, 'short\n');
  boundLog(path, 10);
  expect(readFileSync(path, 'utf8')).toBe('short\n');
  appendFileSync(path, 'and long\n');
  boundLog(path, 10);
  writeSync(writer, 'next\n');
  closeSync(writer);
  expect(readFileSync(path, 'utf8')).toBe('next\n');
  expect(readFileSync(`${path}.1`, 'utf8')).toBe('short\nand long\n');
});

it('what cannot be cut does not end the program that looks after it', () => {
  const path = mkdtempSync(join(tmpdir(), 'dstack-log-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  // Stands for a file on a disk that takes no writes any more; root may write to any other file.
  mkdirSync(join(path, 'log'));
  expect(() => boundLog(join(path, 'log'), 0)).not.toThrow();
});
