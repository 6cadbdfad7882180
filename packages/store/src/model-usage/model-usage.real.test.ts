import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { ServiceTokenRecord } from '../schema/account-records.ts';
import { insertGateway, replicaRecord } from '../testing/gateways.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';

forEachStore((tests) => {
  it('adds up what each user has used of a model on a day, also at once', async () => {
    const { store, projectId, userId } = await openWorld(tests);
    const use = (model: string, day: number, promptTokens: number) => ({
      ...{ projectId, userId, tokenId: null, model, day, requests: 1, aborted: 0, estimated: 1 },
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

  it('adds a delivery of a gateway once, however often and to whichever server it is sent', async () => {
    const world = await openWorld(tests);
    const { store, projectId, userId } = world;
    await insertGateway(world);
    const replica = replicaRecord();
    await store.gateways.insertReplica({ ...replica, sshPrivateKey: 'k' });
    const use = {
      ...{ projectId, userId, tokenId: null, model: 'a', day: 10, requests: 1, aborted: 0 },
      ...{ estimated: 0, promptTokens: 3, completionTokens: 2 },
    };
    const deliver = (batch: string) =>
      store.modelUsage.add([use], { replicaId: replica.id, kind: 'usage', batch });
    await Promise.all([deliver('first'), deliver('first')]);
    for (const batch of ['first', 'second', 'second']) await deliver(batch);
    expect(await store.modelUsage.list(projectId, 10, 10)).toMatchObject([
      { requests: 2, promptTokens: 6, completionTokens: 4 },
    ]);
  });

  it('adds a delivery of a worker once, of each worker and kind', async () => {
    const { store, projectId, userId } = await openWorld(tests);
    const use = {
      ...{ projectId, userId, tokenId: null, model: 'a', day: 10, requests: 1, aborted: 0 },
      ...{ estimated: 0, promptTokens: 3, completionTokens: 2 },
    };
    const deliver = (workerId: string, batch: string) =>
      store.modelUsage.add([use], { workerId, kind: 'usage', batch, now: 1 });
    await Promise.all([deliver('one', 'first'), deliver('one', 'first'), deliver('two', 'first')]);
    for (const batch of ['first', 'second', 'second']) await deliver('one', batch);
    expect(await store.modelUsage.list(projectId, 10, 10)).toMatchObject([{ requests: 3 }]);
  });

  it('adds up what each service token has used, while it exists', async () => {
    const { store, projectId, userId } = await openWorld(tests);
    const token: ServiceTokenRecord = {
      ...{ id: randomUUID(), projectId, name: 'bot', scope: 'models', createdBy: userId },
      ...{ createdAt: 1, expiresAt: null, lastUsedAt: null, models: ['a'], services: null },
      limits: { requests_per_minute: 1, tokens_per_day: 2, tokens_per_month: null },
    };
    await store.meta.serviceTokens.insert(token, 'dstack_st_budget');
    expect(await store.meta.serviceTokens.byToken('dstack_st_budget')).toEqual(token);
    const use = (day: number, model: string, tokenId = token.id) => ({
      ...{ projectId, userId, tokenId, model, day, requests: 1, aborted: 0, estimated: 0 },
      ...{ promptTokens: 3, completionTokens: 4 },
    });
    await store.modelUsage.add([use(31, 'x'), use(32, 'x'), use(40, 'x'), use(40, 'y')]);
    await store.modelUsage.add([use(40, 'x', randomUUID()), use(40, 'x')]);
    const used = () =>
      store.meta.serviceTokens.usedTokens([token.id], { today: 40, monthFrom: 32 });
    expect(await used()).toEqual({ [token.id]: { day: 21, month: 28 } });
    await store.meta.serviceTokens.delete([token.id]);
    expect(await used()).toEqual({});
  });
});
