import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createEventLogger } from '../host/log.ts';
import { ImageLedger } from './image-ledger.ts';

let dir: string;
let logged: string;
const open = () =>
  new ImageLedger(
    join(dir, 'images.json'),
    createEventLogger((line) => {
      logged += line;
    }),
  );
const keys = (ledger: ImageLedger) => ledger.images.map(({ key }) => key);

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ledger-'));
  logged = '';
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it('names what was pulled, the longest unused first, over restarts', () => {
  const ledger = open();
  ledger.pulled('a:1', 'sha256:a', 1);
  ledger.pulled('b:1', 'sha256:b', 2);
  ledger.used('a:1', 3);
  expect(keys(open())).toEqual(['b:1', 'a:1']);
});

it('ignores images of others', () => {
  const ledger = open();
  ledger.used('theirs:1', 1);
  expect(keys(ledger)).toEqual([]);
});

it('keeps the image that a moving tag has left behind', () => {
  const ledger = open();
  ledger.pulled('a:latest', 'sha256:old', 1);
  ledger.pulled('a:latest', 'sha256:new', 5);
  expect(ledger.images).toEqual([
    { key: 'sha256:old', id: 'sha256:old', lastUsed: 1 },
    { key: 'a:latest', id: 'sha256:new', lastUsed: 5 },
  ]);
});

it('removes nothing when its file is unreadable, and lives without one', () => {
  writeFileSync(join(dir, 'images.json'), 'torn{');
  const ledger = open();
  expect(keys(ledger)).toEqual([]);
  rmSync(dir, { recursive: true });
  ledger.pulled('a:1', 'sha256:a', 1);
  expect(keys(ledger)).toEqual(['a:1']);
  expect(logged).toContain('cannot be written');
});
