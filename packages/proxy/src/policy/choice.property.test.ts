import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isBetter, type RatedReplica } from './choice.ts';
import { afterAnswer, afterStart, NEW_RECORD, type ReplicaRecord } from './replica-record.ts';

const idle = (record: ReplicaRecord = NEW_RECORD): RatedReplica => ({
  ...{ record, waiting: 0, streaming: 0 },
});
const answered = (count: number, ms: number, isError = false): ReplicaRecord =>
  Array(count)
    .fill(0)
    .reduce((record) => afterAnswer(record, { isError, ms }, 0), NEW_RECORD);

const candidate = fc.record({
  waiting: fc.nat(50),
  streaming: fc.nat(50),
  record: fc
    .array(fc.record({ isError: fc.boolean(), ms: fc.nat(60_000) }), { maxLength: 20 })
    .map((answers) => answers.reduce((record, one) => afterAnswer(record, one, 0), NEW_RECORD)),
});

describe('of two replicas', () => {
  it('the one in turn is used if both are equal', () => {
    fc.assert(
      fc.property(candidate, fc.nat(100_000), (one, now) => {
        expect(isBetter(one, one, now)).toBe(false);
      }),
    );
  });

  it('never both are better than the other', () => {
    fc.assert(
      fc.property(candidate, candidate, fc.nat(100_000), (one, other, now) => {
        expect(isBetter(one, other, now) && isBetter(other, one, now)).toBe(false);
      }),
    );
  });

  it('the one with fewer pending requests is better', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.nat(20), (few, more) => {
        const other = { ...idle(), waiting: few };
        const turn = { ...idle(), waiting: few + more + 1 };
        expect(isBetter(other, turn, 0)).toBe(true);
      }),
    );
  });

  it('the one that fails at once is no better than one that answers in its time', () => {
    const broken = idle(answered(8, 1, true));
    expect(isBetter(broken, idle(answered(8, 500)), 0)).toBe(false);
    expect(isBetter(idle(answered(8, 500)), broken, 0)).toBe(true);
    expect(isBetter(broken, { ...idle(answered(8, 500)), waiting: 2 }, 0)).toBe(false);
  });

  it('the one that is slower gets fewer requests, and is tried again after a while', () => {
    const slow = idle(answered(8, 2000));
    const fast = idle(answered(8, 100));
    expect(isBetter(fast, slow, 0)).toBe(true);
    expect(isBetter({ ...fast, waiting: 2 }, slow, 0)).toBe(true);
    expect(isBetter({ ...fast, waiting: 4 }, slow, 0)).toBe(false);
    expect(isBetter(fast, slow, 30_000)).toBe(false);
  });

  it('latencies of a moment are equal', () => {
    expect(isBetter(idle(answered(8, 1)), idle(answered(8, 20)), 0)).toBe(false);
  });

  it('the one without streams gets more requests, but not all of them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), (streams) => {
        let old = idle();
        for (let n = 0; n < streams; n++) old = { ...old, streaming: old.streaming + 1 };
        let canary = idle();
        const got = { old: 0, canary: 0 };
        for (let n = 0; n < 300; n++) {
          const isCanarysTurn = n % 2 === 0;
          const isOther = isCanarysTurn ? isBetter(old, canary, 0) : isBetter(canary, old, 0);
          if (isCanarysTurn === isOther) {
            old = { ...old, record: afterStart(old.record, 0) };
            got.old += 1;
          } else {
            canary = { ...canary, record: afterStart(canary.record, 0) };
            got.canary += 1;
          }
        }
        expect(got.canary).toBeGreaterThanOrEqual(got.old);
        expect(got.canary).toBeLessThanOrEqual(1.5 * got.old + 6);
      }),
    );
  });
});
