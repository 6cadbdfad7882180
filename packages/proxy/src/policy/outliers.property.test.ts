import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ejectedAgain,
  ejectionMs,
  ejectionOf,
  IN_ROW,
  NO_EJECTIONS,
  type Peer,
} from './outliers.ts';
import { afterAnswer, isServerError, NEW_RECORD, type ReplicaRecord } from './replica-record.ts';

/** The record of a replica that has answered so, at the same moment; `true` = an error. */
function recordOf(answers: readonly boolean[], now = 0): ReplicaRecord {
  return answers.reduce(
    (record, isError) => afterAnswer(record, { isError, ms: 1 }, now),
    NEW_RECORD,
  );
}

const ok = (count: number): boolean[] => Array(count).fill(false);
const bad = (count: number): boolean[] => Array(count).fill(true);
const peer = (record: ReplicaRecord, more: Partial<Peer> = {}): Peer => ({
  ...{ record, isEjected: false, isUsable: true, ...more },
});

const answers = fc.array(fc.boolean(), { maxLength: 80 });
const peers = fc.array(
  fc.record({ record: answers.map((given) => recordOf(given)), state: fc.constantFrom(0, 1, 2) }),
  { maxLength: 8 },
);
const peersOf = (given: readonly { record: ReplicaRecord; state: number }[]): Peer[] =>
  given.map(({ record, state }) => ({ record, isEjected: state === 1, isUsable: state === 0 }));

describe('a replica that answers with errors', () => {
  it('is ejected after five in a row while the others answer', () => {
    const others = [peer(recordOf(ok(5))), peer(NEW_RECORD)];
    expect(ejectionOf(recordOf([...ok(50), ...bad(IN_ROW - 1)]), others, 0)).toBeNull();
    expect(ejectionOf(recordOf([...ok(500), ...bad(IN_ROW)]), others, 0)).toEqual({
      ...{ cause: 'errors_in_row', errors: IN_ROW },
    });
  });

  it('is ejected for a rate of errors far above that of the others', () => {
    const half = Array.from({ length: 40 }, (_, n) => n % 2 === 0);
    const fifth = Array.from({ length: 40 }, (_, n) => n % 5 === 0);
    expect(ejectionOf(recordOf(half), [peer(recordOf(ok(40)))], 0)).toMatchObject({
      ...{ cause: 'error_rate', rate: 0.5, others: 0 },
    });
    expect(ejectionOf(recordOf(half), [peer(recordOf(fifth))], 0)).toMatchObject({ others: 0.2 });
    expect(ejectionOf(recordOf(half), [peer(recordOf(ok(4)))], 0)).toBeNull();
    expect(ejectionOf(recordOf(half.slice(0, 10)), [peer(recordOf(ok(40)))], 0)).toBeNull();
  });

  it('is not ejected if all replicas send the same errors', () => {
    fc.assert(
      fc.property(answers, fc.integer({ min: 1, max: 6 }), (given, count) => {
        const record = recordOf(given);
        const others = Array.from({ length: count }, () => peer(record));
        const ejection = ejectionOf(record, others, 0);
        const rate = given.filter(Boolean).length / Math.max(1, given.length);
        if (rate > 0.1) expect(ejection).toBeNull();
      }),
    );
  });

  it('is never ejected if no other one could take its requests, or more than half of all would be', () => {
    fc.assert(
      fc.property(answers, peers, (given, others) => {
        const found = ejectionOf(recordOf(given), peersOf(others), 0);
        if (found === null) return;
        expect(others.some(({ state }) => state === 0)).toBe(true);
        const ejected = 1 + others.filter(({ state }) => state === 1).length;
        expect(ejected).toBeLessThanOrEqual((others.length + 1) / 2);
      }),
    );
  });

  it('is never ejected without an error, whatever the others do', () => {
    fc.assert(
      fc.property(fc.nat(80), peers, (count, others) => {
        expect(ejectionOf(recordOf(ok(count)), peersOf(others), 0)).toBeNull();
      }),
    );
  });

  it('is ejected longer each time, up to five minutes', () => {
    const times = Array.from({ length: 9 }, (_, n) => ejectionMs(n + 1) / 1000);
    expect(times).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  it('is ejected for a time within the bounds, and shorter again after each minute without errors', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3_600_000 })), (pauses) => {
        let ejections = NO_EJECTIONS;
        let now = 1_000_000;
        for (const pause of pauses) {
          const before = ejections;
          ejections = ejectedAgain(before, now);
          const ms = ejections.until - now;
          expect(ms).toBeGreaterThanOrEqual(5000);
          expect(ms).toBeLessThanOrEqual(300_000);
          expect(ejections.level).toBeLessThanOrEqual(before.level + 1);
          if (before.until > 0 && now - before.until > before.level * 60_000) {
            expect(ejections.level).toBe(1);
          }
          now = ejections.until + pause;
        }
      }),
    );
  });

  it('has an old error forgotten by half every ten seconds', () => {
    const record = recordOf([...bad(3), ...ok(37)]);
    const others = [peer(recordOf(ok(40)))];
    const later = bad(4).reduce(
      (one) => afterAnswer(one, { isError: true, ms: 1 }, 60_000),
      record,
    );
    // 40 answers count as less than one: there are too few for a rate.
    expect(ejectionOf(later, others, 60_000)).toBeNull();
  });
});

it('an answer about what the replica does not support is no error', () => {
  const statuses = [200, 404, 429, 499, 500, 501, 502, 503, 504, 505];
  expect(statuses.filter(isServerError)).toEqual([500, 502, 503, 504]);
});
