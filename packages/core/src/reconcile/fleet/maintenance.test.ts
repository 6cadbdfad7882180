import { describe, expect, it } from 'vitest';
import { eventMessage } from '../../events/event-message.ts';
import type { FleetRecord, FleetSnapshot } from '../../model/index.ts';
import { aFleet, SETTINGS } from '../testing/records.ts';
import { reconcileFleet } from './reconcile-fleet.ts';

const at = (text: string): number => Date.parse(`2026-12-${text}Z`) * 1000;
const NIGHTLY = { schedule: ['0 2 * * *'], duration: 4 * 3600, lead: 3600 };

/** A fleet over time: each pass is written as the store would write it. */
class Fleet {
  record: FleetRecord;

  constructor(maintenance: typeof NIGHTLY | null = NIGHTLY) {
    this.record = aFleet({ maintenance } as never);
  }

  change(maintenance: typeof NIGHTLY | null): this {
    const { spec } = aFleet({ maintenance } as never);
    this.record = { ...this.record, spec, version: this.record.version + 1 };
    return this;
  }

  pass(time: string) {
    const snapshot: FleetSnapshot = {
      ...{ fleet: this.record, projectName: 'main', projectDeleted: false, instances: [] },
      ...{ intents: [], groups: [], activeRuns: 0, volumes: [], placedRuns: ['run-1'] },
    };
    const ctx = { now: at(time), newId: () => 'id', settings: SETTINGS };
    const { changes, signals } = reconcileFleet(snapshot, ctx);
    for (const change of changes) {
      if (change.type !== 'fleet.update') continue;
      this.record = { ...this.record, ...change.set, version: this.record.version + 1 };
    }
    return {
      next: this.record.nextPassAt === null ? null : new Date(this.record.nextPassAt / 1000),
      events: changes.flatMap((one) => (one.type === 'event' ? [eventMessage(one.event)] : [])),
      wakes: signals.map(({ kind }) => kind),
    };
  }
}

const ANNOUNCED =
  'Fleet is in maintenance from 2026-12-02T02:00:00Z to 2026-12-02T06:00:00Z: its jobs leave before';
const BEGAN = 'Maintenance of fleet began. End: 2026-12-02T06:00:00Z';
const ENDED = 'Maintenance of fleet ended';
const CANCELLED =
  'Maintenance of fleet cancelled: its schedule, or the clock of the server, was changed';
const WAKES = ['capacity', 'run'];
const date = (text: string) => new Date(`2026-12-${text}Z`);

describe('the maintenance of a fleet', () => {
  it('is announced, begins and ends, each once and at its time', () => {
    const fleet = new Fleet();
    expect(fleet.pass('01T12:00:00')).toMatchObject({ events: [], next: date('02T01:00:00') });
    const announced = fleet.pass('02T01:00:00');
    expect(announced).toMatchObject({ events: [ANNOUNCED], next: date('02T02:00:00') });
    expect(announced.wakes).toEqual(expect.arrayContaining(WAKES));
    expect(fleet.pass('02T01:30:00')).toMatchObject({ events: [], wakes: [] });
    const began = fleet.pass('02T02:00:00');
    expect(began).toMatchObject({ events: [BEGAN], next: date('02T06:00:00') });
    expect(began.wakes).toEqual(expect.arrayContaining(WAKES));
    expect(fleet.pass('02T04:00:00')).toMatchObject({ events: [], wakes: [] });
    const ended = fleet.pass('02T06:00:00');
    expect(ended).toMatchObject({ events: [ENDED], next: date('03T01:00:00') });
    expect(ended.wakes).toEqual(expect.arrayContaining(WAKES));
    expect(fleet.record.maintenance).toBeNull();
  });

  it('is announced when the server is back within a window', () => {
    const fleet = new Fleet();
    expect(fleet.pass('02T03:00:00').events).toEqual([ANNOUNCED, BEGAN]);
    expect(fleet.record.maintenance?.since).toBe(at('02T03:00:00'));
  });

  it('has not been, where the server was down for the whole of it', () => {
    const fleet = new Fleet();
    fleet.pass('01T12:00:00');
    expect(fleet.pass('02T07:00:00')).toMatchObject({ events: [], next: date('03T01:00:00') });
  });

  it('ends where the server was down at its end', () => {
    const fleet = new Fleet();
    fleet.pass('02T03:00:00');
    expect(fleet.pass('02T12:00:00').events).toEqual([ENDED]);
  });

  it('goes on after a clock was set back, with its notice', () => {
    const fleet = new Fleet();
    fleet.pass('02T01:10:00');
    expect(fleet.pass('02T00:10:00')).toMatchObject({ events: [], wakes: [] });
    expect(fleet.record.maintenance?.startsAt).toBe(at('02T02:00:00'));
  });

  it('of a year ahead is forgotten once the clock is right again', () => {
    const fleet = new Fleet();
    fleet.record = {
      ...fleet.record,
      maintenance: {
        ...{ since: at('02T01:00:00') * 2, startsAt: at('02T02:00:00') * 2 },
        ...{ endsAt: at('02T06:00:00') * 2, hasBegun: true },
      },
    };
    expect(fleet.pass('01T12:00:00')).toMatchObject({
      events: [CANCELLED],
      next: date('02T01:00:00'),
    });
  });

  it('is withdrawn when its schedule is removed, and moved when it is changed', () => {
    const fleet = new Fleet();
    fleet.pass('02T03:00:00');
    const moved = fleet.change({ ...NIGHTLY, schedule: ['0 12 * * *'] }).pass('02T03:10:00');
    expect(moved).toMatchObject({ events: [CANCELLED], next: date('02T11:00:00') });
    expect(moved.wakes).toEqual(expect.arrayContaining(WAKES));
    fleet.pass('02T11:30:00');
    expect(fleet.change(null).pass('02T11:40:00')).toMatchObject({
      ...{ events: [CANCELLED], next: null },
    });
  });

  it('lasts longer when its duration is changed while it is on', () => {
    const fleet = new Fleet();
    fleet.pass('02T03:00:00');
    const longer = fleet.change({ ...NIGHTLY, duration: 6 * 3600 }).pass('02T05:00:00');
    expect(longer).toMatchObject({ events: [], next: date('02T08:00:00') });
    expect(fleet.record.maintenance?.endsAt).toBe(at('02T08:00:00'));
  });
});
