import { expect, it } from 'vitest';
import { forEachStore, openWorld } from '../testing/stores.ts';

forEachStore((tests) => {
  it('leases the observation of an instance that was never observed to one server at a time', async () => {
    const { engine } = (await openWorld(tests)).store;
    expect(await engine.claim('observation', 'i1', 'one', 60_000_000)).toBe(true);
    expect(await engine.claim('observation', 'i1', 'two', 60_000_000)).toBe(false);
    expect(await engine.claim('observation', 'i2', 'two', 60_000_000)).toBe(true);
    await engine.release('observation', 'i1', 'one');
    expect(await engine.claim('observation', 'i1', 'two', 60_000_000)).toBe(true);
  });
});
