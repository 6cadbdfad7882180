import { useMemo } from 'react';
import type { RunRow } from '../../data/runs/run-row.ts';
import { costAt, runCostText } from '../../domain/runs/run-cost.ts';
import { useTicking } from '../../ui/time/clock.ts';

/** The cost of a run until now, which grows on the page while the run lasts. */
export function RunCost({ row }: { readonly row: RunRow }) {
  const { cost, price, finishedAt } = row;
  // The server has calculated the cost just before these figures arrived.
  // biome-ignore lint/correctness/useExhaustiveDependencies: other figures have another time
  const known = useMemo(() => ({ cost, at: Date.now() }), [cost, price, finishedAt]);
  return useTicking((now) =>
    runCostText(row, costAt(known, finishedAt === null ? (price ?? 0) : 0, now)),
  );
}
