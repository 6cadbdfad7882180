import { afterAll, describe, expect, it } from 'vitest';
import { type Cell, cells, outcomeOf, tableText } from './table.ts';

/** Each has its own stories. */
const SEED = Number(process.env.SIM_SEED ?? Math.floor(Math.random() * 2 ** 31));

const outcomes: Cell[] = [];

afterAll(() => console.log(`SIM_SEED=${SEED}\n\n${tableText(outcomes)}`));

describe('a run on a machine of a cloud is done, none is left and none is double,', () => {
  it.each(cells().map(([fault, step]) => ({ fault, step })))(
    'whatever happens: $fault.name, $step.name',
    async ({ fault, step }) => {
      const cell = await outcomeOf(fault, step, SEED);
      outcomes.push(cell);
      const { seconds, ...outcome } = cell;
      expect(seconds).toBeGreaterThan(0);
      expect(outcome, `SIM_SEED=${SEED}`).toEqual({
        ...{ fault: fault.name, step: step.name },
        ...{ left: 0, double: 0, run: 'done', lostOfOthers: 0 },
      });
    },
  );
});
