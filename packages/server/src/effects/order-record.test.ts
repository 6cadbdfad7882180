import { BackendError, NoAnswerError, NoCapacityError, SkipOfferError } from '@dstack/backends';
import { capabilitiesOf, type IntentOf, type IntentPayload, type Offer } from '@dstack/core';
import { expect, it } from 'vitest';
import { NotNow } from './not-now.ts';
import { errorInDoubt, orderRecord } from './order-record.ts';

const AWS = { capabilities: capabilitiesOf('aws') };
const LOCAL = { capabilities: capabilitiesOf('local') };
const [A, B] = ['a', 'b'].map((name) => ({ instance: { name } }) as Offer) as [Offer, Offer];
const MINUTE = 60_000_000;

type Order = IntentOf<'instance.create'>['payload'];

/** An order, and its recorded progress. */
function ordered(part: Partial<Order> = {}, { isOrdered = true, now = 0 } = {}) {
  const written: IntentPayload[] = [];
  const payload: Order = {
    ...{ kind: 'instance.create', offers: [A, B], maxTries: 5, totalOffers: 2 },
    ...part,
  };
  const intent: IntentOf<'instance.create'> = {
    ...{ key: 'instance.create:i:0', kind: 'instance.create', subjectId: 'i', attempt: 0, payload },
    ...{ state: 'announced', result: null, error: null, createdAt: 0, updatedAt: 0 },
  };
  const amendIntent = async (_key: string, next: IntentPayload) => {
    written.push(next);
    return isOrdered;
  };
  const announcedIntent = async () => ({ ...intent, payload: written.at(-1) ?? payload });
  const store = { engine: { amendIntent, announcedIntent } } as unknown as Parameters<
    typeof orderRecord
  >[0]['store'];
  return { written, record: orderRecord({ store, now: () => now }, intent) };
}

it('records that a backend is asked before it is, once for each offer', async () => {
  const { written, record } = ordered({ untried: true });
  await record.begin([A, B]);
  expect(written).toEqual([]);
  await record.asking(2, AWS);
  await record.asking(2, AWS);
  await record.begin([B]);
  await record.asking(1, AWS);
  expect(written).toEqual([
    expect.objectContaining({ asked: 2, offers: [A, B] }),
    expect.objectContaining({ asked: 2, offers: [B] }),
    expect.objectContaining({ asked: 1, offers: [B] }),
  ]);
  expect(written[0]).not.toHaveProperty('untried');
});

it('writes nothing for machines without costs, except that the order may no longer be dropped', async () => {
  const plain = ordered();
  await plain.record.asking(2, LOCAL);
  expect(plain.written).toEqual([]);
  const untried = ordered({ untried: true });
  await untried.record.asking(2, LOCAL);
  expect(untried.written).toEqual([expect.not.objectContaining({ untried: true })]);
});

it('asks no backend once the order was withdrawn', async () => {
  const { record } = ordered({}, { isOrdered: false });
  await expect(record.asking(2, AWS)).rejects.toBeInstanceOf(NotNow);
});

it('is in doubt about the offer of an earlier attempt for a while', async () => {
  const first = ordered();
  await first.record.asking(2, AWS);
  expect(first.record.inDoubt(2)).toBe(false);
  const again = ordered({ asked: 2 }, { now: 14 * MINUTE }).record;
  expect([2, 1].map((left) => again.inDoubt(left))).toEqual([true, false]);
  const late = ordered({ asked: 2 }, { now: 15 * MINUTE }).record;
  expect(late.inDoubt(2)).toBe(false);
  // A later order may have been sent a moment ago: what was asked for is looked for at any time.
  expect([2, 1].map((left) => late.wasAsked(left))).toEqual([true, false]);
});

it('begins the time in doubt anew with each call that may create a machine', async () => {
  const { written, record } = ordered({ asked: 2 }, { now: 14 * MINUTE });
  await record.sending();
  // Each write is dated, and the time in doubt counts from the last one.
  expect(written).toEqual([expect.objectContaining({ asked: 2, offers: [A, B] })]);
});

it('sends nothing for an order that another attempt has taken over, or that was withdrawn', async () => {
  const { written, record } = ordered({ asked: 2 });
  written.push({ kind: 'instance.create', offers: [B], maxTries: 5, totalOffers: 2, asked: 1 });
  await expect(record.sending()).rejects.toBeInstanceOf(NotNow);
  expect(written).toHaveLength(1);
  const withdrawn = ordered({ asked: 2 }, { isOrdered: false }).record;
  await expect(withdrawn.sending()).rejects.toBeInstanceOf(NotNow);
});

it('is not in doubt after an attempt that has sent nothing, unless an earlier one may have', async () => {
  const first = ordered();
  await first.record.asking(2, AWS);
  await first.record.notSent(2);
  expect(first.written.at(-1)).not.toHaveProperty('asked');
  const again = ordered({ asked: 2 });
  await again.record.asking(2, AWS);
  await again.record.notSent(2);
  expect(again.written).toEqual([]);
});

it('accepts only errors as an answer that describe the present state', () => {
  for (const answer of [new NoCapacityError('full'), new SkipOfferError('no'), new NotNow('')]) {
    expect(errorInDoubt(answer)).toBe(answer);
  }
  for (const error of [new BackendError('429'), new TypeError('fetch failed')]) {
    expect(errorInDoubt(error)).toBeInstanceOf(NoAnswerError);
  }
});
