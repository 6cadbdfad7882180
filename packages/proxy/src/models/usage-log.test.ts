import { expect, it } from 'vitest';
import type { MeteredUse } from './metered-use.ts';
import { UsageLog } from './usage-log.ts';

const use = (model: string): MeteredUse => ({
  tokenId: null,
  ...{ projectId: 'p', userId: 'u', model, day: 1, requests: 1, aborted: 0, estimated: 0 },
  ...{ promptTokens: 2, completionTokens: 3 },
});

it('uses that arrive during a write are written together, and each waits for its own write', async () => {
  const writes: { uses: readonly MeteredUse[]; done: PromiseWithResolvers<void> }[] = [];
  const log = new UsageLog({
    add: (uses) => {
      const done = Promise.withResolvers<void>();
      writes.push({ uses, done });
      return done.promise;
    },
  });
  const first = log.add(use('a'));
  const others = [log.add(use('a')), log.add(use('a')), log.add(use('b'))];
  expect(writes).toHaveLength(1);
  writes[0]?.done.reject(new Error('the database is away'));
  await expect(first).rejects.toThrow('away');
  while (writes.length < 2) await Promise.resolve();
  expect(writes[1]?.uses).toEqual([
    { ...use('a'), requests: 2, promptTokens: 4, completionTokens: 6 },
    use('b'),
  ]);
  writes[1]?.done.resolve();
  await Promise.all(others);
  expect(writes).toHaveLength(2);
});
