import { expect, it } from 'vitest';
import { forEachStore, openWorld } from '../testing/stores.ts';

forEachStore((tests) => {
  it('adds up what each user has used of a model on a day, also at once', async () => {
    const { store, projectId, userId } = await openWorld(tests);
    const use = (model: string, day: number, promptTokens: number) => ({
      ...{ projectId, userId, model, day, requests: 1, aborted: 0, estimated: 1 },
      ...{ promptTokens, completionTokens: 2 },
    });
    await store.modelUsage.add([use('a', 10, 3), use('b', 10, 5)]);
    await Promise.all(
      Array.from({ length: 8 }, () => store.modelUsage.add([use('b', 10, 1), use('a', 11, 1)])),
    );
    const listed = await store.modelUsage.list(projectId, 10, 11);
    expect(
      listed.map(({ model, day, requests, estimated, promptTokens, completionTokens }) => [
        ...[model, day, requests, estimated, promptTokens, completionTokens],
      ]),
    ).toEqual([
      ['a', 10, 1, 1, 3, 2],
      ['b', 10, 9, 9, 13, 18],
      ['a', 11, 8, 8, 8, 16],
    ]);
    expect(await store.modelUsage.list(projectId, 11, 11)).toHaveLength(1);
    expect(await store.modelUsage.list('other', 0, 99)).toEqual([]);
  });
});
