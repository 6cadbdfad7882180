/** Credentials for images, which pods name by their id in the account. */
import { registriesOf } from '@dstack/testkit/cloud';
import { describe, expect, it } from 'vitest';
import { PreparingError } from '../base/errors.ts';
import { releaseFully } from '../base/testing/release-fully.ts';
import { newAccountForEachTest, STARTED_S } from './testing/account.ts';

const { now, order, create, failure, sent } = newAccountForEachTest();

describe('a pod at RunPod', () => {
  it('has stored credentials for its image, which end with the last pod that uses them', async () => {
    const registryAuth = { username: 'ada', password: 'pass word"' };
    const image = 'registry.example/private:1';
    const [first, second] = [
      await create(await order({ registryAuth, image })),
      await create(await order({ registryAuth, image })),
    ];
    const kept = () => [...registriesOf(now().cloud.account).values()];
    expect(kept()).toMatchObject([registryAuth]);
    expect(JSON.stringify([kept()[0]?.name, sent()?.body])).not.toContain('pass word');
    expect(sent()?.body).toMatchObject({ registry: kept()[0]?.id });
    now().clock.advance(STARTED_S);
    for (const [one, left] of [
      [first, 1],
      [second, 0],
    ] as const) {
      if (!one) throw new Error('it was not created');
      await releaseFully(
        { backend: now().backend, settle: async () => now().clock.advance(STARTED_S) },
        one.handle,
      );
      expect(kept()).toHaveLength(left);
    }
  });

  it('is ordered beside others whose credentials are stored at the same moment', async () => {
    const registryAuth = { username: 'ada', password: 'pass' };
    const image = 'registry.example/private:1';
    const orders = [];
    for (let number = 0; number < 3; number++) orders.push(await order({ registryAuth, image }));
    await Promise.all(orders.map(create));
    expect(now().cloud.vms()).toBe(3);
    expect(registriesOf(now().cloud.account).size).toBe(1);
  });

  it('is ordered again when its credentials were deleted in between', async () => {
    const registryAuth = { username: 'ada', password: 'pass' };
    const image = 'registry.example/private:1';
    await create(await order({ registryAuth, image }));
    const kept = registriesOf(now().cloud.account);
    kept.clear();
    const given = await order({ registryAuth, image });
    expect(await failure(given)).toBeInstanceOf(PreparingError);
    await create(given);
    expect(now().cloud.vms()).toBe(2);
    expect(kept.size).toBe(1);
  });
});

it('the claims of servers are stored credentials, which a list shows by their names only', async () => {
  const { cloud, backend } = now();
  const owner = { server: 'server-1' };
  await backend.claims?.renew(owner, { claimant: 'a', nonce: 'n1' });
  const [first] = registriesOf(cloud.account).values();
  await backend.claims?.renew(owner, { claimant: 'a', nonce: 'n2' });
  await backend.claims?.renew({ server: 'server-2' }, { claimant: 'b', nonce: 'n3' });
  expect(await backend.claims?.read(owner)).toMatchObject([{ claimant: 'a', nonce: 'n2' }]);
  expect(registriesOf(cloud.account).has(first?.id ?? '')).toBe(false);
  expect(registriesOf(cloud.account).size).toBe(2);
});

it('a claim that cannot be read keeps everything from being ended', async () => {
  const { cloud, backend } = now();
  registriesOf(cloud.account).set('x', {
    id: 'x',
    name: 'dstack-claim_1',
    username: '',
    password: '',
  });
  await expect(backend.claims?.read({ server: 'server-1' })).rejects.toThrow(
    'RunPod: the claim in the stored credential dstack-claim_1 cannot be read',
  );
});
