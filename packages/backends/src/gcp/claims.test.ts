import { manualClock, startCloud } from '@dstack/testkit/cloud';
import { expect, it, onTestFinished } from 'vitest';
import { newOrder } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { gcpAt } from './testing.ts';

it('claims of two installations are kept in one project, with the time of Google, and are no groups', async () => {
  const clock = manualClock();
  const cloud = await startCloud({ personality: 'gcp', clock, limits: false });
  onTestFinished(() => cloud.close());
  const backend = gcpAt({ cloud, pace: passingPace(clock) });
  const { owner } = newOrder(null, 'server-1');
  const claimed = async () => (await backend.claims?.read(owner)) ?? [];
  await backend.claims?.renew(owner, { claimant: 'one', nonce: 'nonce-1' });
  clock.advance(3600);
  await backend.claims?.renew(owner, { claimant: 'two', nonce: 'nonce-2' });
  await backend.claims?.renew(owner, { claimant: 'two', nonce: 'nonce-3' });
  const found = (await claimed()).map(({ claimant, nonce, age }) => [
    claimant,
    nonce,
    Math.round((age ?? 0) / 1e6),
  ]);
  expect(found.toSorted()).toEqual([
    ['one', 'nonce-1', 3600],
    ['two', 'nonce-3', 0],
  ]);
  expect(await backend.claims?.read({ server: 'server-2' })).toEqual([]);
  expect(await backend.groups?.list(owner)).toEqual([]);
});
