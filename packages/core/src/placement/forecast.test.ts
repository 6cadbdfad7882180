import { expect, it } from 'vitest';
import type { JobRecord, Occupant, PlacementSnapshot } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { forecastQueue } from './forecast.ts';
import { aContext, aFleet, aGang, anInstance, anOffer, aRun, aSnapshot } from './testing.ts';

const NOW = aContext().now;
const FLEET = aFleet('pool', { placement: 'cluster', ssh_config: { hosts: ['h'], user: 'u' } });
const WAITS = { refusal: { kind: 'no-fleets' }, waitingSince: 5 } as const;

const ends = (num: number, seconds: number): Occupant => ({
  ...{ instanceId: `pool-${num}`, blocks: 1, startedAt: NOW, runningAt: NOW },
  limit: { seconds, stopSeconds: 0 },
});

function waits(
  name: string,
  submittedAt: number,
  configuration: object,
  patch: Partial<JobRecord> = WAITS,
) {
  return aGang(aRun(name, { retry: true, ...configuration }, { submittedAt }), 0, patch);
}

const QUEUE = [
  waits('head', 1, { nodes: 2, max_duration: 100 }),
  waits('second', 2, { max_duration: 50 }),
  waits('third', 3, { nodes: 2 }),
  waits('fourth', 4, {}),
];

function starts(
  occupants: readonly Occupant[],
  guesses: readonly Occupant[] = [],
  gangs = QUEUE,
  busy = [1, 1, 1],
  more: Partial<PlacementSnapshot> = {},
) {
  const instances = busy.map((busyBlocks, num) =>
    anInstance(FLEET, num, anOffer(), { status: busyBlocks ? 'busy' : 'idle', busyBlocks }),
  );
  const snapshot = aSnapshot({ fleets: [FLEET], instances, gangs, occupants, ...more });
  return forecastQueue(snapshot, () => [], aContext(), guesses).map((one) => [
    one.gang.run.name,
    one.startsAt === null ? null : (one.startsAt - NOW) / SECOND,
    one.isAbout,
  ]);
}

it('the start of a reservation is exact, and those behind it start about when they can', () => {
  expect(starts([ends(0, 10), ends(1, 20), ends(2, 30)])).toEqual([
    ['head', 20, false],
    ['second', 30, true],
    ['third', 120, true],
    // Nothing is known of the end of the third.
    ['fourth', 80, true],
  ]);
});

it('a start that is not known makes those behind it unknown, where they need the same', () => {
  expect(starts([ends(0, 10)]).map(([, at]) => at)).toEqual([null, null, null, null]);
});

it('the end of earlier runs of the name is a guess', () => {
  expect(starts([ends(0, 10)], [ends(1, 40), ends(2, 90)])).toEqual([
    ['head', 40, true],
    ['second', 90, true],
    ['third', 140, true],
    ['fourth', 140, true],
  ]);
});

it('a gang that fits now starts now', () => {
  const small = waits('small', 9, { max_duration: 5 });
  const found = starts([ends(0, 10), ends(1, 20)], [], [...QUEUE, small], [1, 1, 0]);
  expect(found.at(-1)).toEqual(['small', 0, false]);
});

it('a gang that a quota keeps back has no start, although there are free instances', () => {
  const limits = { gpu: null, cpu: null, memory: null, cost: null, runs: null, instances: 0 };
  const quota = {
    ...{ id: 'q', projectId: 'project-1', fleetId: null, userId: null },
    ...{ guaranteed: null, weight: null, limits },
  };
  const kept = [waits('kept', 1, {})];
  const quotas = [{ quota, used: {} }];
  expect(starts([], [], kept, [0], { quotas })).toEqual([['kept', null, true]]);
});

it('nothing is known of the end of a job that has lasted longer than a guess', () => {
  const late = { ...ends(1, 40), startedAt: NOW - 99 * SECOND };
  const [head] = starts([ends(0, 10)], [late]);
  expect(head).toEqual(['head', null, true]);
});
