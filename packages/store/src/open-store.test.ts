import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openStore } from './open-store.ts';

it('a new database is reported in one line, without its migrations, and not again', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'open-store-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const lines: unknown[] = [];
  const info = (...line: unknown[]) => void lines.push(line);
  const options = {
    url: `sqlite:///${join(dir, 'data.db')}`,
    now: () => Date.now() * 1000,
    newId: randomUUID,
    logger: { debug() {}, info, warn() {}, error() {} },
    cipher: { encrypt: (text: string) => text, decrypt: (text: string) => text },
  };
  for (const _start of [1, 2]) await (await openStore(options)).close();
  expect(lines).toEqual([[{ database: expect.any(String) }, 'the database was created']]);
});
