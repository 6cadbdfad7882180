import { afterAll, describe, expect, it } from 'vitest';
import { ORPHAN_CASES, type OrphanOutcome, orphanOutcome, orphansText } from './orphans.ts';

const SEED = Number(process.env.SIM_SEED ?? Math.floor(Math.random() * 2 ** 31));

const outcomes: OrphanOutcome[] = [];

afterAll(() => console.log(`SIM_SEED=${SEED}\n\n${orphansText(outcomes)}`));

describe('a machine with the tags of this installation and without a record', () => {
  it.each(ORPHAN_CASES)('is reported, and ended only when that is safe: $name', async (of) => {
    const outcome = await orphanOutcome(of, SEED);
    outcomes.push(outcome);
    const context = `SIM_SEED=${SEED}`;
    expect(outcome.lost, context).toBe(0);
    expect(outcome.events[0], context).toMatch(/^Orphaned instance \S+ in lambda found/);
    const isEnded = outcome.endedAfter !== null;
    if (of.isEnded !== null) expect(isEnded, context).toBe(of.isEnded);
    if (!isEnded) return;
    // Not before the server has watched the claims of the account for hours.
    expect(outcome.endedAfter, context).toBeGreaterThan(170);
    expect(outcome.events.slice(1), context).toEqual([
      expect.stringMatching(/^Orphaned instance \S+ in lambda terminated by the server$/),
    ]);
  });
});
