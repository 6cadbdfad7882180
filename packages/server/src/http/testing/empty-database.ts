import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '@dstack/store';
import { pino } from 'pino';

let made: Promise<Buffer> | null = null;

/**
 * The file of an SQLite database with the present schema and no rows, made once in this process: the
 * migrations take longer than all else that the start of a test's server does.
 */
export function emptyDatabase(): Promise<Buffer> {
  made ??= make();
  return made;
}

async function make(): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'dstack-empty-'));
  try {
    const path = join(dir, 'empty.db');
    const store = await openStore({
      url: `sqlite:///${path}`,
      now: () => 0,
      newId: randomUUID,
      logger: pino({ level: 'silent' }),
      cipher: { encrypt: (text) => text, decrypt: (text) => text },
    });
    // It moves everything from the log of writes into this one file.
    await store.close();
    return await readFile(path);
  } finally {
    await rm(dir, { recursive: true });
  }
}
