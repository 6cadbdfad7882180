import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GatewayModelUse } from '@dstack/contract/agent';
import { keepUse, newUseName, type UseBatch } from '@dstack/proxy';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { UseDelivery } from './use-delivery.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-uses-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const use = {
  ...{ project: 'main', user: 'ann', model: 'm', day: 1, requests: 1, aborted: 0 },
  ...{ estimated: 0, prompt_tokens: 1, completion_tokens: 2 },
};

async function kept(more: object = {}): Promise<string> {
  const name = newUseName();
  await keepUse(dir, { ...use, ...more }, name);
  return name;
}

it('a request waits until the server has stored what it has used', async () => {
  const sent: UseBatch<GatewayModelUse>[] = [];
  const delivery = new UseDelivery(dir, (batch) => sent.push(batch) > 0);
  const ends: string[] = [];
  delivery.deliverAll([await kept()], () => ends.push('first'));
  // Its batch is made before the second use is known.
  delivery.deliverAll([await kept()], () => ends.push('second'));
  expect([sent.length, ends]).toEqual([1, []]);
  delivery.used(sent[0]?.n ?? 0);
  expect([sent.length, ends]).toEqual([2, ['first']]);
  delivery.used(sent[1]?.n ?? 0);
  expect(ends).toEqual(['first', 'second']);
});

it('a request does not wait for a use that was delivered before it asked', async () => {
  const sent: UseBatch<GatewayModelUse>[] = [];
  const delivery = new UseDelivery(dir, (batch) => sent.push(batch) > 0);
  const name = await kept();
  delivery.deliver();
  delivery.used(sent[0]?.n ?? 0);
  const ends: string[] = [];
  delivery.deliverAll([name], () => ends.push('known'));
  expect(ends).toEqual(['known']);
});

it('no request waits for a server that is away', async () => {
  let isThere = true;
  const delivery = new UseDelivery(dir, () => isThere);
  const ends: string[] = [];
  delivery.deliverAll([await kept()], () => ends.push('first'));
  isThere = false;
  delivery.disconnected();
  expect(ends).toEqual(['first']);
});

it('uses with different tokens are not added up', async () => {
  const sent: UseBatch<GatewayModelUse>[] = [];
  const delivery = new UseDelivery(dir, (batch) => sent.push(batch) > 0);
  const token = '0b8a2ef3-4a51-4c0c-9d52-7f3a3d0f1c11';
  for (const more of [{}, {}, { token }]) await kept(more);
  delivery.deliver();
  const uses = sent[0]?.uses.map((one) => [one.token ?? null, one.requests]);
  expect(uses?.sort()).toEqual(
    [
      [token, 1],
      [null, 2],
    ].sort(),
  );
});
