import { describe, expect, it } from 'vitest';
import type { Gang, JobRecord, Occupant } from '../model/index.ts';
import {
  aContext,
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  changesOf,
  jobChange,
  placed,
  refusedWith,
} from './testing.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const at = (text: string): number => Date.parse(`2023-11-${text}Z`) * 1000;

/** From 02:00 to 06:00 each day; jobs are notified from 01:00 on. */
const NIGHTLY = { schedule: '0 2 * * *', duration: '4h', lead: '1h' };

function fleetOf(maintenance: object = NIGHTLY, name = 'lab', more: object = {}) {
  const ssh_config = { hosts: ['h'], user: 'u' };
  return aFleet(name, { ssh_config, blocks: 4, maintenance, ...more });
}
const LAB = fleetOf();
const OFFER = anOffer({ cpus: 32, memoryGb: 128, gpus: 4 });

const host = (fleet = LAB, num = 0, busyBlocks = 0) =>
  anInstance(fleet, num, OFFER, {
    ...{ totalBlocks: 4, busyBlocks, status: busyBlocks === 0 ? 'idle' : 'busy' },
  });

const WAITS = { refusal: { kind: 'no-fleets' }, waitingSince: 5 } as const;

interface Asked {
  readonly gpus?: number;
  readonly limit?: string | number;
  readonly stop?: string | number;
  readonly submittedAt?: number;
}

function asks(name: string, asked: Asked = {}, patch: Partial<JobRecord> = {}): Gang {
  const { gpus = 4, limit = 'off', stop = 0, submittedAt = 1 } = asked;
  const resources = { gpu: gpus, cpu: '1..', memory: '1GB..', disk: '1GB..' };
  const run = { resources, max_duration: limit, stop_duration: stop };
  return aGang(aRun(name, run, { submittedAt }), 0, patch);
}

type World = Parameters<typeof placed>[0];

function placedAt(time: number, world: World) {
  return placed(world, [], { ...aContext(), now: time });
}

const isPlaced = (time: number, gang: Gang, world: Partial<World> = {}): boolean => {
  const decision = placedAt(time, { fleets: [LAB], instances: [host()], ...world, gangs: [gang] });
  return jobChange(decision, gang.jobs[0]?.id ?? '')?.instanceId !== undefined;
};

const notified = (fleet = LAB, since = at('15T01:00:00')) => ({
  ...fleet,
  maintenance: {
    ...{ since, startsAt: at('15T02:00:00'), endsAt: at('15T06:00:00'), hasBegun: false },
  },
});

describe('a fleet with windows of maintenance', () => {
  it('gets no job within a window, whatever its max_duration', () => {
    for (const time of ['15T02:00:00', '15T05:59:59']) {
      expect(isPlaced(at(time), asks('a', { limit: 60 }))).toBe(false);
      expect(isPlaced(at(time), asks('a'))).toBe(false);
    }
    expect(isPlaced(at('15T06:00:00'), asks('a'))).toBe(true);
  });

  it('gets jobs before it that end in time with their stop_duration', () => {
    const time = at('15T01:30:00');
    expect(isPlaced(time, asks('a', { limit: '30m' }))).toBe(true);
    expect(isPlaced(time, asks('a', { limit: '30m', stop: '1s' }))).toBe(false);
    expect(isPlaced(time, asks('a', { limit: '31m' }))).toBe(false);
  });

  it('gets jobs without a known end until the time of notice begins', () => {
    expect(isPlaced(at('15T00:59:59'), asks('a'))).toBe(true);
    expect(isPlaced(at('15T01:00:00'), asks('a'))).toBe(false);
    expect(isPlaced(at('15T00:59:59'), asks('a', { limit: '30m', stop: 'off' }))).toBe(true);
    expect(isPlaced(at('15T01:00:00'), asks('a', { limit: '30m', stop: 'off' }))).toBe(false);
  });

  it('gets those that need longer than there is between two windows as if their end were unknown', () => {
    expect(isPlaced(at('15T00:30:00'), asks('a', { limit: '21h' }))).toBe(true);
    expect(isPlaced(at('15T01:00:00'), asks('a', { limit: '21h' }))).toBe(false);
    // It ends between two windows, and waits for that.
    expect(isPlaced(at('15T00:30:00'), asks('a', { limit: '1185m' }))).toBe(false);
    expect(isPlaced(at('15T06:15:00'), asks('a', { limit: '1185m' }))).toBe(true);
    // A pass comes some time after the end of a window, so it would always be too late.
    expect(isPlaced(at('15T06:00:01'), asks('a', { limit: '20h' }))).toBe(true);
    expect(isPlaced(at('15T00:30:00'), asks('a', { limit: '20h' }))).toBe(true);
  });

  it('lets work wait for the next window only, not for a longer time between two later ones', () => {
    // 2023-11-14 is a Tuesday.
    const workdays = fleetOf({ ...NIGHTLY, schedule: '0 20 * * mon-fri' });
    const world = { fleets: [workdays], instances: [host(workdays)] };
    expect(isPlaced(at('14T12:00:00'), asks('a', { limit: '48h' }), world)).toBe(true);
    expect(isPlaced(at('17T12:00:00'), asks('a', { limit: '48h' }), world)).toBe(false);
    expect(isPlaced(at('18T00:00:00'), asks('a', { limit: '48h' }), world)).toBe(true);
  });

  it('keeps new work off while its jobs have notice, also after a clock was set back', () => {
    const world = { fleets: [notified()], instances: [host()] };
    expect(isPlaced(at('15T00:30:00'), asks('a'), world)).toBe(false);
    expect(isPlaced(at('15T00:30:00'), asks('a', { limit: '1h' }), world)).toBe(true);
  });

  it('is open again at once when the window is removed, or is over', () => {
    const removed = { ...notified(), spec: aFleet('lab', { nodes: '0..' }).spec };
    const world = { fleets: [removed], instances: [host()] };
    expect(isPlaced(at('15T01:30:00'), asks('a'), world)).toBe(false);
    expect(isPlaced(at('15T06:00:00'), asks('a'), world)).toBe(true);
    expect(isPlaced(at('15T06:00:00'), asks('a'), { fleets: [notified()] })).toBe(true);
  });

  it('leaves the work to other fleets, which may have windows at other times', () => {
    const other = fleetOf({ schedule: '0 12 * * *', duration: '1h' }, 'other');
    const decision = placedAt(at('15T03:00:00'), {
      fleets: [LAB, other],
      instances: [host(), host(other)],
      gangs: [asks('a')],
    });
    expect(jobChange(decision, 'job-a-0-0')?.instanceId).toBe('other-0');
  });

  it('creates no instance for it', () => {
    const cloud = aFleet('cloud', { nodes: '0..', maintenance: NIGHTLY });
    const ctx = { ...aContext(), now: at('15T03:00:00') };
    const decision = placed({ fleets: [cloud], gangs: [asks('a')] }, [OFFER], ctx);
    expect(changesOf(decision, 'instance.insert')).toEqual([]);
    expect(refusedWith(decision, 'job-a-0-0')).toBe(
      'Fleet cloud cannot take the run now: it is in maintenance ' +
        'from 2023-11-15 02:00:00 UTC to 2023-11-15 06:00:00 UTC',
    );
  });

  it('asks the backends of the others for instances', () => {
    const cloud = aFleet('cloud', { nodes: '0..' });
    const ctx = { ...aContext(), now: at('15T03:00:00') };
    const world = { fleets: [LAB, cloud], instances: [host()], gangs: [asks('a')] };
    expect(changesOf(placed(world, [OFFER], ctx), 'instance.insert')).toHaveLength(1);
  });

  it('reports until when a job waits', () => {
    const during = placedAt(at('15T03:00:00'), {
      ...{ fleets: [LAB], instances: [host()], gangs: [asks('a')] },
    });
    expect(refusedWith(during, 'job-a-0-0')).toBe(
      'Fleet lab cannot take the run now: instances: ' +
        '1 in maintenance from 2023-11-15 02:00:00 UTC to 2023-11-15 06:00:00 UTC',
    );
    const before = placedAt(at('15T01:30:00'), {
      ...{ fleets: [LAB], instances: [host()], gangs: [asks('a', { limit: '2h' })] },
    });
    expect(refusedWith(before, 'job-a-0-0')).toContain(
      'to 2023-11-15 06:00:00 UTC, before which a run of up to 2h may not have ended',
    );
  });

  it('takes a shorter job although a longer one of the same kind found no place before it', () => {
    const gangs = [asks('long', { limit: '2h' }), asks('short', { limit: '20m', submittedAt: 2 })];
    const decision = placedAt(at('15T01:30:00'), { fleets: [LAB], instances: [host()], gangs });
    expect(jobChange(decision, 'job-long-0-0')?.instanceId).toBeUndefined();
    expect(jobChange(decision, 'job-short-0-0')?.instanceId).toBe('lab-0');
  });

  it('takes a job without a known end before the time of notice behind one that has to wait', () => {
    for (const patch of [{}, WAITS]) {
      const gangs = [asks('long', { limit: '10h' }, patch), asks('any', { submittedAt: 2 })];
      const decision = placedAt(at('14T20:00:00'), { fleets: [LAB], instances: [host()], gangs });
      expect(jobChange(decision, 'job-long-0-0')?.instanceId).toBeUndefined();
      expect(jobChange(decision, 'job-any-0-0')?.instanceId).toBe('lab-0');
    }
  });
});

describe('a waiting gang', () => {
  const ends = (seconds: number, since: number): Occupant => ({
    ...{ instanceId: 'lab-0', blocks: 4, startedAt: since, runningAt: since },
    limit: { seconds, stopSeconds: 0 },
  });
  const reservedIn = (time: number, gang: Gang, world: Partial<World>) =>
    jobChange(
      placedAt(time, { fleets: [LAB], instances: [host()], ...world, gangs: [gang] }),
      'job-a-0-0',
    )?.reserved?.startsAt;

  it('is expected after the window if what it waits for ends too late before it', () => {
    const time = at('14T23:00:00');
    const world = { instances: [host(LAB, 0, 4)], occupants: [ends(HOUR, time)] };
    expect(reservedIn(time, asks('a', { limit: '1h' }, WAITS), world)).toBe(at('15T00:00:00'));
    expect(reservedIn(time, asks('a', { limit: '3h' }, WAITS), world)).toBe(at('15T06:00:00'));
    expect(reservedIn(time, asks('a', {}, WAITS), world)).toBe(at('15T00:00:00'));
    const late = { ...world, occupants: [ends(2 * HOUR + 30 * MINUTE, time)] };
    expect(reservedIn(time, asks('a', {}, WAITS), late)).toBe(at('15T06:00:00'));
  });

  it('is expected before a window that it outlasts, if it would outlast the next one too', () => {
    const workdays = fleetOf({ ...NIGHTLY, schedule: '0 20 * * mon-fri' });
    const time = at('14T12:00:00');
    const world = {
      ...{ fleets: [workdays], instances: [host(workdays, 0, 4)], occupants: [ends(HOUR, time)] },
    };
    const limit = '48h';
    expect(reservedIn(time, asks('a', { limit }, WAITS), world)).toBe(at('14T13:00:00'));
    const friday = { ...world, occupants: [ends(HOUR, at('17T12:00:00'))] };
    expect(reservedIn(at('17T12:00:00'), asks('a', { limit }, WAITS), friday)).toBe(
      at('18T00:00:00'),
    );
  });

  it('reserves the idle instances of a fleet in maintenance from its end on', () => {
    expect(reservedIn(at('15T03:00:00'), asks('a', {}, WAITS), {})).toBe(at('15T06:00:00'));
  });

  it('is promised no start where a job goes on after the window', () => {
    const time = at('15T00:30:00');
    const world = { instances: [host(LAB, 0, 4)], occupants: [ends(3 * HOUR, time)] };
    expect(reservedIn(time, asks('a', {}, WAITS), world)).toBeUndefined();
  });

  it('does not keep instances from jobs that end before the window', () => {
    const gangs = [asks('a', {}, WAITS), asks('short', { limit: '20m', submittedAt: 2 })];
    const decision = placedAt(at('15T01:30:00'), { fleets: [LAB], instances: [host()], gangs });
    expect(jobChange(decision, 'job-short-0-0')?.instanceId).toBe('lab-0');
  });

  it('keeps what it has reserved after a window from others, but not from those who leave for it', () => {
    const reserved = (startsAt: number) => {
      const shares = [{ instanceId: 'lab-0', blocks: 4 }];
      return { ...WAITS, reserved: { since: at('14T19:00:00'), startsAt, shares } };
    };
    const isTaken = (limit: string, startsAt: number, world: Partial<World> = {}) => {
      const gangs = [
        asks('a', { limit }, reserved(startsAt)),
        asks('any', { gpus: 2, submittedAt: 2 }),
      ];
      const time = at('14T20:00:00');
      const all = { fleets: [LAB], instances: [host()], ...world, gangs };
      return jobChange(placedAt(time, all), 'job-any-0-0')?.instanceId === 'lab-0';
    };
    expect(isTaken('10h', at('15T06:00:00'))).toBe(true);
    const occupied = {
      instances: [host(LAB, 0, 2)],
      occupants: [{ ...ends(HOUR, at('14T20:00:00')), blocks: 2 }],
    };
    expect(isTaken('2h', at('14T21:00:00'), occupied)).toBe(false);
  });

  it('holds what is free of an open fleet, not of one in maintenance', () => {
    const open = fleetOf({ schedule: '0 12 * * *', duration: '1h' }, 'open');
    const world = {
      fleets: [open],
      instances: [host(open, 0, 2)],
      gangs: [asks('a', {}, WAITS), asks('small', { gpus: 2, submittedAt: 2 })],
    };
    const time = at('15T03:00:00');
    expect(jobChange(placedAt(time, world), 'job-small-0-0')?.instanceId).toBeUndefined();
  });
});
