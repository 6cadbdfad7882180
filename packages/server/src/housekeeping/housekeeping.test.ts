import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordEvent, SECOND, userTarget } from '@dstack/core';
import { openStore } from '@dstack/store';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createCipher } from '../config/cipher.ts';
import { Housekeeping } from './housekeeping.ts';

it('housekeeping deletes only events past their retention time', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'housekeeping-'));
  const log = pino({ level: 'silent' });
  let now = 1_800_000_000 * SECOND;
  const store = await openStore({
    url: `sqlite:///${dir}/dstack.db`,
    now: () => now,
    newId: randomUUID,
    logger: log,
    cipher: createCipher([]),
  });
  const user = (name: string) => ({
    id: randomUUID(),
    name,
    globalRole: 'user' as const,
    email: null,
    active: true,
    createdAt: now,
    sshPublicKey: null,
    sshPrivateKey: null,
    token: randomUUID(),
  });
  const insert = async (name: string) => {
    const made = user(name);
    const event = recordEvent({ action: 'user.token_refreshed', targets: [userTarget(made)] });
    await store.users.insert(made, { events: [event] });
  };
  const housekeeping = new Housekeeping({
    store,
    log,
    now: () => now,
    events: 3600,
    metricsOfRunningJobs: 3600,
    metricsOfFinishedJobs: 3600,
    healthChecks: 3600,
  });
  try {
    await insert('old');
    now += 3000 * SECOND;
    await insert('recent');
    now += 700 * SECOND;
    expect(await housekeeping.clean()).toMatchObject({ events: 1 });
    expect(await housekeeping.clean()).toMatchObject({ events: 0 });
  } finally {
    await housekeeping.close();
    await store.close();
    rmSync(dir, { recursive: true });
  }
});
