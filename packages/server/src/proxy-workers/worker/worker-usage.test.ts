import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { away, linked } from '@dstack/proxy/testing';
import type { ModelUse } from '@dstack/store';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WorkerUsage } from './worker-usage.ts';

const log = pino({ level: 'silent' });
const use = {
  ...{ projectId: 'p', userId: 'u', tokenId: null, model: 'm', day: 1, requests: 1 },
  ...{ aborted: 0, estimated: 0, promptTokens: 3, completionTokens: 4 },
};

/** Adds each batch once, as the database does. */
function ledger() {
  const stored = new Map<string, readonly ModelUse[]>();
  let sendings = 0;
  const take = ({
    batch,
    uses,
  }: {
    readonly batch: string;
    readonly uses: readonly ModelUse[];
  }) => {
    sendings += 1;
    stored.set(batch, stored.get(batch) ?? uses);
  };
  const requests = () => [...stored.values()].flat().reduce((sum, one) => sum + one.requests, 0);
  return { take, requests, sendings: () => sendings };
}

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-uses-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const kept = () => readdirSync(dir).filter((name) => name.endsWith('.json'));

it('a use is known to the server when its request ends, and leaves the disk', async () => {
  const { take, requests } = ledger();
  const { link, connect } = linked({ usage: take });
  const usage = new WorkerUsage(link, dir, log);
  connect();
  await Promise.all([usage.add([use]), usage.add([use, use])]);
  expect(requests()).toBe(3);
  expect(kept()).toEqual([]);
});

it('a use that a server has stored without being able to say so is counted once by the next one', async () => {
  const { take, requests, sendings } = ledger();
  let isDying = true;
  const { link, connect } = linked({
    usage: async (sent) => {
      take(sent);
      if (isDying) await new Promise(() => {});
    },
  });
  const usage = new WorkerUsage(link, dir, log);
  const server = connect();
  const ended = usage.add([use]);
  await expect.poll(sendings).toBe(1);
  await away(link, server);
  await ended;
  await usage.add([use]);
  expect(kept()).toHaveLength(2);
  isDying = false;
  connect();
  await expect.poll(kept).toEqual([]);
  expect([requests(), sendings()]).toEqual([2, 3]);
});

it('a worker that is killed at any point leaves what the next one delivers once', async () => {
  const { take, requests, sendings } = ledger();
  const first = linked({
    usage: async (sent) => {
      take(sent);
      await new Promise(() => {});
    },
  });
  first.connect();
  void new WorkerUsage(first.link, dir, log).add([use]);
  await expect.poll(sendings).toBe(1);
  // The first one hangs for ever, as a killed process does; its folder is all that is left.
  const next = linked({ usage: take });
  new WorkerUsage(next.link, dir, log);
  next.connect();
  await expect.poll(kept).toEqual([]);
  expect(requests()).toBe(1);
});

it('what the server cannot store now is sent again', async () => {
  const { take, requests } = ledger();
  let isBroken = true;
  const { link, connect } = linked({
    usage: (sent) => {
      if (isBroken) throw new Error('no database');
      take(sent);
    },
  });
  const usage = new WorkerUsage(link, dir, log);
  connect();
  await usage.add([use]);
  await usage.add([use]);
  expect(kept()).toHaveLength(2);
  isBroken = false;
  usage.sweep();
  await expect.poll(kept).toEqual([]);
  expect(requests()).toBe(2);
});
