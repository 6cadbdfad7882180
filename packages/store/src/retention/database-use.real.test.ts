import { expect, it } from 'vitest';
import { insertEnded, NOW } from '../testing/ended-run.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';

forEachStore((tests) => {
  const open = () => openWorld(tests, { now: () => NOW });

  it('reports how much each table takes', async () => {
    const world = await open();
    await insertEnded(world, 'one', NOW, [{}, {}]);
    const use = await world.store.retention.use();
    expect(use.bytes).toBeGreaterThan(0);
    const jobs = use.tables.find(({ table }) => table === 'jobs');
    expect(jobs?.bytes).toBeGreaterThan(0);
    if (tests.dialect === 'sqlite') {
      expect(jobs?.rows).toBe(2);
      const sum = use.tables.reduce((total, { bytes }) => total + bytes, 0);
      expect(Math.abs(sum - (use.bytes - (use.freeBytes ?? 0)))).toBeLessThan(100);
    }
  });

  it('gives unused space back in pieces, as many pages as it is asked for', async () => {
    if (tests.dialect !== 'sqlite') return;
    const world = await open();
    const { files, retention } = world.store;
    await files.blobs.put('large', Buffer.alloc(16 * 1024 * 1024, 1));
    await files.blobs.delete('large', NOW + 1);
    const before = await retention.use();
    expect(before).toMatchObject({ shrinks: true });
    expect(await retention.releasePages(500)).toBe(500);
    while ((await retention.releasePages(500)) > 0);
    const after = await retention.use();
    expect(before.bytes - after.bytes).toBeGreaterThan(10_000_000);
  });
});
