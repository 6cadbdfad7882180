/** Workers behind nginx of which one stands still. */
import { readdirSync } from 'node:fs';
import { hasLua } from '@dstack/proxy/testing';
import { expect, it } from 'vitest';
import type { ChildWorker } from './child-worker.ts';
import { PlainWorld } from './nginx/testing/plain-world.ts';

const beats = { everyMs: 200, unresponsiveAfter: 3, lostAfter: 15 };

it.skipIf(!hasLua)(
  'a worker that stands still is replaced, and all requests are answered',
  async () => {
    const world = await new PlainWorld().start({ beats });
    try {
      const [{ child: still }] = world.workers.all as [ChildWorker];
      still.kill('SIGSTOP');
      const statuses: number[] = [];
      const isThere = () => still.signalCode === null;
      // No service has this name: workers answer.
      while (statuses.length < 30 || isThere())
        statuses.push((await world.ask('none.test')).status);
      expect(new Set(statuses)).toEqual(new Set([404]));
      const isReplaced = () =>
        (world.workers.all as ChildWorker[]).every((one) => one.isServing && one.child !== still);
      await expect.poll(isReplaced, { timeout: 120_000 }).toBe(true);
      expect(readdirSync(world.runtime).filter((name) => name.endsWith('.unresponsive'))).toEqual(
        [],
      );
      expect((await world.ask('none.test')).status).toBe(404);
    } finally {
      await world.stop();
    }
  },
);

it.skipIf(!hasLua)('a worker that answers again after a pause is found again', async () => {
  const world = await new PlainWorld().start({ beats: { ...beats, lostAfter: 10_000 } });
  try {
    const [{ child }] = world.workers.all as [ChildWorker];
    const hidden = () =>
      readdirSync(world.runtime).filter((name) => name.endsWith('.unresponsive')).length;
    child.kill('SIGSTOP');
    await expect.poll(hidden, { timeout: 120_000 }).toBe(2);
    const during = [];
    while (during.length < 10) during.push((await world.ask('none.test')).status);
    expect(new Set(during)).toEqual(new Set([404]));
    child.kill('SIGCONT');
    await expect.poll(hidden, { timeout: 120_000 }).toBe(0);
    expect(child.signalCode).toBe(null);
  } finally {
    await world.stop();
  }
});
