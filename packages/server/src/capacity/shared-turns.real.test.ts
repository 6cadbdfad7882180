/** Calls to the account of a provider that two servers on one PostgreSQL count together. */
import { randomUUID } from 'node:crypto';
import { type CallKind, sharedTurns } from '@dstack/backends/testing';
import { openStore } from '@dstack/store';
import { postgresBinaries, startPostgres } from '@dstack/testkit';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createCipher } from '../config/cipher.ts';

const binaries = postgresBinaries();
/** Longer than the test, so that no turn comes back. */
const HOUR = 3600;
const RULES = [
  { calls: 20, seconds: HOUR },
  { calls: 5, seconds: HOUR, kind: 'create' },
] as const;

it.runIf(binaries)(
  'two servers that call at the same moments make as many calls together as the account allows, and each kind its own',
  async () => {
    const cluster = await startPostgres(binaries ?? '');
    const { url } = await cluster.createDatabase();
    const open = () =>
      openStore({
        ...{ url, now: () => Date.now() * 1000, newId: randomUUID },
        ...{ logger: pino({ level: 'silent' }), cipher: createCipher([]) },
      });
    const stores = [await open(), await open()];
    const servers = stores.map(({ meta }) => sharedTurns(meta, 'account', RULES));
    const taken = async (kind: CallKind, times: number) => {
      const asked = servers.flatMap((one) => Array.from({ length: times }, () => one.take(kind)));
      return (await Promise.all(asked)).filter((wait) => wait === 0).length;
    };
    expect(await taken('create', 12)).toBe(5);
    expect(await taken('look', 20)).toBe(15);
    // A refusal that one of them has met holds for both.
    await servers[0]?.pause(60_000);
    expect(await servers[1]?.take('end')).toBeGreaterThan(50_000);
    for (const store of stores) await store.close();
    await cluster.stop();
  },
);
