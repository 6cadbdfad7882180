/** When gangs are expected to start for which others have to leave. */
import { expect, it } from 'vitest';
import type { EvictionRecord, Gang, PlacementSnapshot } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { forecastQueue } from './forecast.ts';
import { aSnapshot } from './testing.ts';
import { A, asks, B, claim, ctx, LONG_AGO, waiting, world } from './testing-reclaim.ts';

const eviction: EvictionRecord = {
  ...{ runId: 'run-asker', replicaNum: 0, kind: 'reclaim' },
  ...{ requestedAt: ctx.now - 20 * SECOND, seconds: 60 },
};
const LEAVES = claim('b', B, 4, { eviction });
const STAYS = claim('c', B, 4);

const shares = [{ instanceId: 'hosts-0', blocks: 4 }];
const reclaim = { since: 1, runs: ['run-b'], instances: ['hosts-0'], shares };
const ASKER = asks('asker', 4, A, { ...waiting, reclaim });

function starts(more: Partial<PlacementSnapshot> = {}, gangs: readonly Gang[] = [ASKER]) {
  const snapshot = aSnapshot({ ...world({ claims: [LEAVES, STAYS] }), gangs, ...more });
  return forecastQueue(snapshot, () => [], ctx).map((one) => ({
    in: one.startsAt === null ? null : (one.startsAt - ctx.now) / SECOND,
    ...{ isAbout: one.isAbout, shares: one.shares },
  }));
}

it('a gang starts about at the end of the grace of those who leave for it, where they are', () => {
  expect(starts()).toEqual([{ in: 40, isAbout: true, shares }]);
});

it('it starts now at the earliest, and nothing is known if those who were asked have left', () => {
  const late = { ...eviction, requestedAt: ctx.now - 90 * SECOND };
  expect(starts({ claims: [{ ...LEAVES, eviction: late }, STAYS] })[0]?.in).toBe(0);
  expect(starts({ claims: [STAYS] })[0]?.in).toBeNull();
});

it('what they leave is not given to those behind it too, also if they had an end of their own', () => {
  const limit = { seconds: 3600 + 500, stopSeconds: 0 };
  const place = { instanceId: 'hosts-0', blocks: 4, startedAt: LONG_AGO, runningAt: LONG_AGO };
  const behind = asks('behind', 4, A, { ...waiting, waitingSince: 9 });
  const found = starts({ occupants: [{ ...place, limit }] }, [ASKER, behind]);
  expect(found.map((one) => one.in)).toEqual([40, null]);
});
