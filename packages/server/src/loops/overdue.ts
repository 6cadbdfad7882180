import type { Signal, WorkKind } from '@dstack/core';
import type { Store } from '@dstack/store';
import { WORK, WORK_KINDS } from './work/index.ts';

/** The most overdue records that one sweep takes up, per kind. */
const SWEEP_LIMIT = 1000;

export interface OverdueOptions {
  readonly store: { readonly engine: Pick<Store['engine'], 'due'> };
  readonly now: number;
  readonly hasAlarm: (kind: WorkKind, id: string) => boolean;
}

/**
 * Records that are overdue because a signal or an alarm was lost. Where the time of the next pass is
 * kept in memory, the stored one passes without harm as long as this server has an alarm.
 */
export async function overdue({ store, now, hasAlarm }: OverdueOptions): Promise<Signal[]> {
  const found: Signal[] = [];
  for (const kind of WORK_KINDS) {
    const { schedule, isTimedInMemory } = WORK[kind];
    if (schedule === null) continue;
    // All of them, because records with an alarm must not hide those without.
    const limit = isTimedInMemory ? Number.MAX_SAFE_INTEGER : SWEEP_LIMIT;
    const ids = await store.engine.due(schedule, now, limit);
    const lost = isTimedInMemory ? ids.filter((id) => !hasAlarm(kind, id)) : ids;
    for (const id of lost.slice(0, SWEEP_LIMIT)) found.push({ kind, id });
  }
  return found;
}
