import { afterAll, describe, expect, it } from 'vitest';
import type { CloudName } from './simulated-clouds.ts';
import { type Cell, cells, outcomeOf, tableText } from './table.ts';

/** Each has its own stories. */
const SEED = Number(process.env.SIM_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Lambda always gets all faults; other providers do with `scripts/test --clouds`, else they get the sample. */
const IS_WHOLE = process.env.DSTACK_TEST_CLOUDS_TABLE === 'all';
/** One fault of each kind. */
const SAMPLE: readonly string[] = [
  ...['answers are lost', 'sold out', 'cannot be started', 'is reclaimed', 'kill -9'],
];

const chosen = (cloud: CloudName) =>
  cells()
    .filter(([{ name }]) => cloud === 'lambda' || IS_WHOLE || SAMPLE.includes(name))
    .map(([fault, step]) => ({ fault, step }));

/** GCP, whose adapter shares its orders and ends with that of AWS, Crusoe, Hot Aisle, Verda, Vultr and containers take part in the whole table only. */
const TESTED: readonly CloudName[] = IS_WHOLE
  ? ['lambda', 'aws', 'crusoe', 'gcp', 'hotaisle', 'runpod', 'vastai', 'verda', 'vultr']
  : ['lambda', 'aws'];

describe.each(TESTED)(
  'a run on a machine of %s is done, none is left and none is double,',
  (cloud) => {
    const outcomes: Cell[] = [];
    afterAll(() => console.log(`SIM_SEED=${SEED} ${cloud}\n\n${tableText(outcomes)}`));

    it.each(chosen(cloud))('whatever happens: $fault.name, $step.name', async ({ fault, step }) => {
      const cell = await outcomeOf(fault, step, { cloud, seed: SEED });
      outcomes.push(cell);
      const { seconds, ...outcome } = cell;
      expect(seconds).toBeGreaterThan(0);
      expect(outcome, `SIM_SEED=${SEED}`).toEqual({
        ...{ fault: fault.name, step: step.name },
        ...{ left: 0, double: 0, run: 'done', lostOfOthers: 0 },
      });
    });
  },
);
