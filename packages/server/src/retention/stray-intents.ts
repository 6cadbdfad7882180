import { SECOND } from '@dstack/core';
import type { RetentionStep, StepDeps } from './step.ts';

const DAY = 86_400 * SECOND;
const KEY = 'stray intents';

/** A day's part of the walk ends after so many intents that stay: a year of 1 000 runs a day is walked through in a month. */
const KEPT_A_DAY = 20_000;

/** How far the walk over all intents has come. */
interface Walk {
  readonly position: string;
  /** When the present part began, and how many intents it has kept. */
  readonly since: number;
  readonly kept: number;
}

const START: Walk = { position: '', since: 0, kept: 0 };

/**
 * Deletes settled intents without a subject. Others go with their subject, so there are few: each day looks at a part of
 * all, and goes on where the last one, of whichever server, has ended.
 */
export function strayIntents({
  store: { retention, meta },
}: {
  readonly store: {
    readonly retention: Pick<StepDeps['store']['retention'], 'deleteStrayIntents'>;
    readonly meta: Pick<StepDeps['store']['meta'], 'get' | 'set'>;
  };
}): RetentionStep['run'] {
  let restsUntil = 0;
  return async (limit, now) => {
    if (now < restsUntil && restsUntil <= now + DAY) return 0;
    const text = await meta.get(KEY);
    const walk = text === null ? START : (JSON.parse(text) as Walk);
    const isSame = walk.since <= now && now < walk.since + DAY;
    const { since, kept } = isSame ? walk : { since: now, kept: 0 };
    if (kept >= KEPT_A_DAY) {
      restsUntil = since + DAY;
      return 0;
    }
    const { count, seen, next } = await retention.deleteStrayIntents(
      ...([walk.position, now - DAY, limit] as const),
    );
    const all = next === null ? KEPT_A_DAY : kept + seen - count;
    await meta.set(KEY, JSON.stringify({ position: next ?? '', since, kept: all } satisfies Walk));
    return seen;
  };
}
