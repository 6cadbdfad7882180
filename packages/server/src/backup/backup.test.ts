import { randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore, type Store } from '@dstack/store';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backUp, openRestore } from './backup.ts';
import { recordRestore } from './restored.ts';

let dir: string;
let file: string;
let open: Store[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'backup-'));
  file = join(dir, 'backup.tar');
  open = [];
});
afterEach(async () => {
  for (const store of open) await store.close();
  rmSync(dir, { recursive: true });
});

const serverDir = () => join(dir, 'server');
const database = () => join(serverDir(), 'data', 'dstack.db');
const place = () => ({ file, env: { DSTACK_SERVER_DIR: serverDir() }, now: () => 1_000_000 });

async function start(): Promise<Store> {
  const store = await openStore({
    ...{
      url: `sqlite:///${database()}`,
      now: () => 1,
      cipher: NO_CIPHER,
      newId: randomUUID,
      logger: pino({ level: 'silent' }),
    },
  });
  open.push(store);
  return store;
}
const NO_CIPHER = { encrypt: (text: string) => text, decrypt: (text: string) => text } as never;

async function stop(): Promise<void> {
  for (const store of open.splice(0)) await store.close();
}

const note = (store: Store, text: string) => store.meta.set('note', text);
const noteOf = (store: Store) => store.meta.get('note');

describe('a backup', () => {
  it('is consistent while a server runs, and readable by its user alone', async () => {
    const store = await start();
    await note(store, 'before');
    writeFileSync(join(serverDir(), 'config.yml'), 'encryption: {}\n');
    const manifest = await backUp(place());
    expect(manifest).toMatchObject({ format: 1, created_at: '1970-01-01T00:00:01.000Z' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir).toSorted()).toEqual(['backup.tar', 'server']);
    await expect(backUp(place())).rejects.toThrow(`${file} exists`);
  });

  it('is put back with its configuration, and the files before are kept', async () => {
    const config = join(serverDir(), 'config.yml');
    const store = await start();
    await note(store, 'before');
    writeFileSync(config, 'of the backup\n');
    await backUp(place());
    await note(store, 'after');
    writeFileSync(config, 'later\n');
    await expect(openRestore(place())).rejects.toMatchObject({
      message: expect.stringContaining(
        `The database ${database()} is in use (process ${process.pid}`,
      ),
      next: 'Stop the server that uses it, then run this command again.',
    });
    await stop();
    const restore = await openRestore(place());
    await expect(start()).rejects.toThrow('is in use by another server');
    expect(restore.lostRuns).toEqual([]);
    const kept = await restore.carryOut();
    await restore.close();
    const restored = await start();
    expect(await noteOf(restored)).toBe('before');
    expect(readFileSync(config, 'utf8')).toBe('of the backup\n');
    const before = '.before-restore-1970-01-01T00-00-01.000Z';
    expect(kept).toEqual(expect.arrayContaining([`${database()}${before}`, `${config}${before}`]));
    expect(readFileSync(`${config}${before}`, 'utf8')).toBe('later\n');
    expect(await recordRestore(restored)).toEqual({
      backup_created_at: '1970-01-01T00:00:01.000Z',
      restored_at: '1970-01-01T00:00:01.000Z',
      backup_version: expect.any(String),
    });
    expect(await recordRestore(restored)).toBeNull();
  });

  it('that is damaged or something else changes nothing', async () => {
    await note(await start(), 'present');
    await backUp(place());
    await stop();
    const whole = readFileSync(file);
    for (const bytes of [
      whole.subarray(0, whole.length / 2),
      Buffer.from('text'),
      Buffer.alloc(0),
    ]) {
      writeFileSync(file, bytes);
      await expect(openRestore(place())).rejects.toThrow(
        'is not a backup of `dstack server backup`',
      );
    }
    await expect(openRestore({ ...place(), file: `${file}.none` })).rejects.toThrow('not exist');
    expect(existsSync(`${database()}.restoring`)).toBe(false);
    expect(await noteOf(await start())).toBe('present');
  });

  it('of PostgreSQL is a matter of its own programs', async () => {
    const env = { ...place().env, DSTACK_DATABASE_URL: 'postgres://x@127.0.0.1/x' };
    const refused = backUp({ ...place(), env });
    await expect(refused).rejects.toMatchObject({ next: expect.stringContaining('pg_dump') });
  });
});
