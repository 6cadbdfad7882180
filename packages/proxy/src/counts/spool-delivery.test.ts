import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { SpoolBatch, SpoolKind } from './spool.ts';
import { keepItems, SpoolDelivery } from './spool-delivery.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-uses-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

interface Use {
  readonly user: string;
  readonly requests: number;
}

const KIND: SpoolKind<Use> = {
  keyOf: ({ user }) => user,
  sum: (one, other) => ({ ...one, requests: one.requests + other.requests }),
};

const kept = () => keepItems(dir, [{ user: 'ann', requests: 1 }]);

function world() {
  const sent: SpoolBatch<Use>[] = [];
  const state = { isThere: true };
  const send = (batch: SpoolBatch<Use>) => state.isThere && sent.push(batch) > 0;
  const delivery = new SpoolDelivery({ dir, kind: KIND, send });
  const ends: string[] = [];
  const deliverAll = (files: readonly string[], name: string) =>
    delivery.deliverAll(files).then(() => void ends.push(name));
  const answer = (at: number) => delivery.used(sent[at]?.n ?? 0);
  return { sent, state, delivery, ends, deliverAll, answer };
}

it('a request waits until the server has stored what it has used', async () => {
  const { sent, ends, deliverAll, answer } = world();
  const first = deliverAll(await kept(), 'first');
  // The batch of the first one is made before the second use is known.
  const second = deliverAll(await kept(), 'second');
  expect([sent.length, ends]).toEqual([1, []]);
  answer(0);
  await first;
  expect([sent.length, ends]).toEqual([2, ['first']]);
  answer(1);
  await second;
});

it('a request does not wait for a use that was delivered before it asked', async () => {
  const { delivery, deliverAll, answer } = world();
  const files = await kept();
  delivery.deliver();
  answer(0);
  await deliverAll(files, 'known');
});

it.each(['disconnected', 'failed'] as const)(
  'no request waits for a server that has %s',
  async (how) => {
    const { sent, state, delivery, deliverAll } = world();
    const waiting = deliverAll(await kept(), 'first');
    state.isThere = false;
    if (how === 'failed') delivery.failed(sent[0]?.n ?? 0);
    else delivery.disconnected();
    await waiting;
    state.isThere = true;
    delivery.connected();
    expect(sent.at(-1)?.batch).toBe(sent[0]?.batch);
  },
);

it('no request waits for a server that is away already', async () => {
  const { sent, state, delivery, deliverAll } = world();
  state.isThere = false;
  await deliverAll(await kept(), 'first');
  state.isThere = true;
  delivery.connected();
  const second = deliverAll(await kept(), 'second');
  state.isThere = false;
  // The batch with the use of the second one cannot be sent.
  delivery.used(sent[0]?.n ?? 0);
  await second;
});
