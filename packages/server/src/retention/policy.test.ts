import { expect, it } from 'vitest';
import { keptInLedger } from './policy.ts';

const server = { runs: 100, ledger: 200, usage: 300 };

it('what runs have cost is kept as long as any project keeps its runs, and sums of days no less', () => {
  const kept = (runsSeconds: (number | null)[], policy: Parameters<typeof keptInLedger>[0]) =>
    (['parts', 'days'] as const).map((what) =>
      keptInLedger(
        policy,
        what,
        runsSeconds.map((own) => ({ runsSeconds: own })),
      ),
    );
  expect(kept([null, 50], server)).toEqual([200, 300]);
  expect(kept([null, 250], server)).toEqual([250, 300]);
  expect(kept([400, null], server)).toEqual([400, 400]);
  expect(kept([400], { ...server, runs: null })).toEqual([null, null]);
  expect(kept([400], { ...server, ledger: null })).toEqual([null, null]);
});
