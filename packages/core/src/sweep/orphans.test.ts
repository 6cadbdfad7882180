import { describe, expect, it } from 'vitest';
import { eventMessage } from '../events/event-message.ts';
import { SECOND } from '../model/values.ts';
import type { ListedThing, OrphanRecord } from './model.ts';
import { CONFIRM_AFTER, decideSweep, type SweepDecision, type SweepInput } from './orphans.ts';
import { nextSweep, sweepRetry } from './schedule.ts';

const T0 = 1_800_000_000 * SECOND;
const project = { id: 'p1', name: 'main' };
const machine: ListedThing = {
  kind: 'instance',
  handle: { id: 'm-1', data: null },
  region: null,
  owner: { project: 'main', fleet: 'pool', instance: 'pool-0' },
  key: 'instance.create:i:0',
};
const unknown = (thing: ListedThing) => ({ thing, isAccountedFor: false });
const known = (thing: ListedThing) => ({ thing, isAccountedFor: true });

function look(part: Partial<SweepInput>): SweepDecision {
  return decideSweep({
    ...{ project, backend: 'aws', listed: [unknown(machine)], orphans: [], mayEnd: true },
    ...{ watched: new Map(), steadySince: null },
    ...{ now: T0, newId: () => 'o-1', ...part },
  });
}

/** Sweeps the same list repeatedly, each time with the result of the previous sweep. */
function looks(times: readonly number[], part: Partial<SweepInput> = {}): SweepDecision {
  let orphans: readonly OrphanRecord[] = [];
  let last: SweepDecision | null = null;
  for (const now of times) {
    last = look({ ...part, now, orphans, watched: last?.watched ?? new Map() });
    orphans = last.orphans;
  }
  return last as SweepDecision;
}

describe('a resource without a record', () => {
  it('is only remembered when it is found first, neither reported nor ended', () => {
    const { orphans, reported, toEnd, events } = look({});
    expect(orphans).toMatchObject([{ id: 'o-1', firstSeenAt: T0, reportedAt: null }]);
    expect([reported, toEnd, events]).toEqual([[], [], []]);
  });

  it('is reported by a second sweep some minutes later, once', () => {
    const second = looks([T0, T0 + CONFIRM_AFTER]);
    expect(second.events.map(eventMessage)).toEqual([
      "Orphaned instance m-1 in aws found: it carries this server's tag (created for project main, fleet pool, instance pool-0), but the server has no record of it",
    ]);
    expect(second.events[0]?.targets).toMatchObject([{ type: 'project', name: 'main' }]);
    expect(looks([T0, T0 + CONFIRM_AFTER, T0 + 2 * CONFIRM_AFTER]).events).toEqual([]);
  });

  it('is not confirmed by a sweep that follows at once', () => {
    const { reported, toEnd } = looks([T0, T0 + SECOND]);
    expect([reported, toEnd]).toEqual([[], []]);
  });

  it('is ended once it is confirmed, with repeated requests until it no longer exists', () => {
    const times = [T0, T0 + CONFIRM_AFTER, T0 + 2 * CONFIRM_AFTER];
    const { toEnd } = looks(times);
    expect(toEnd).toMatchObject([{ id: 'o-1', endRequestedAt: T0 + CONFIRM_AFTER }]);
  });

  it('is not ended for what another server, or an earlier process, has seen', () => {
    const { orphans } = look({ now: T0 - 3600 * SECOND });
    const first = look({ orphans, now: T0 });
    expect([first.reported.length, first.toEnd]).toEqual([1, []]);
    expect(nextSweep(first, 'seed', T0)).toBe(T0 + CONFIRM_AFTER);
    const later = { orphans: first.orphans, watched: first.watched, now: T0 + CONFIRM_AFTER };
    expect(look(later).toEnd).toMatchObject([{ id: 'o-1' }]);
  });

  it('is not ended sooner because the clock was set ahead meanwhile', () => {
    const first = look({ mayEnd: true });
    const now = T0 + 3600 * SECOND;
    const next = { orphans: first.orphans, watched: first.watched, now };
    expect(look({ ...next, steadySince: now - SECOND }).toEnd).toEqual([]);
    expect(look({ ...next, steadySince: T0 - SECOND }).toEnd).toHaveLength(1);
  });

  it('is not ended while that is not allowed, not even if it was before', () => {
    expect(looks([T0, T0 + CONFIRM_AFTER], { mayEnd: false }).toEnd).toEqual([]);
    const before = looks([T0, T0 + CONFIRM_AFTER]);
    const later = look({ orphans: before.orphans, mayEnd: false, now: T0 + 2 * CONFIRM_AFTER });
    expect(later.toEnd).toEqual([]);
  });

  it('is never ended if it is a volume', () => {
    const listed = [unknown({ ...machine, kind: 'volume' as const })];
    const { reported, toEnd } = looks([T0, T0 + CONFIRM_AFTER], { listed });
    expect([reported.length, toEnd]).toEqual([1, []]);
  });
});

describe('an orphan', () => {
  const { orphans } = looks([T0, T0 + CONFIRM_AFTER], { mayEnd: false });
  const now = T0 + 2 * CONFIRM_AFTER;
  const textsOf = ({ events }: SweepDecision) => events.map(eventMessage);

  it('that is not listed any more no longer exists', () => {
    const after = look({ orphans, listed: [], now });
    expect(textsOf(after)).toEqual(['Orphaned instance m-1 in aws no longer exists']);
    expect(after.settled).toEqual(orphans);
  });

  it('that the server has ended reports that', () => {
    const ended = orphans.map((orphan) => ({ ...orphan, endRequestedAt: T0 }));
    const after = look({ orphans: ended, listed: [], now });
    expect(textsOf(after)).toEqual(['Orphaned instance m-1 in aws terminated by the server']);
  });

  it('whose record exists again is none', () => {
    const after = look({ orphans, listed: [known(machine)], now });
    expect(textsOf(after)).toEqual(['Orphaned instance m-1 in aws is accounted for again']);
    expect(after.orphans).toEqual([]);
  });

  it('that was never reported ends without a report', () => {
    expect(textsOf(look({ orphans: look({}).orphans, listed: [], now }))).toEqual([]);
  });
});

describe('the next sweep', () => {
  const HOUR = 3600 * SECOND;

  it('comes after an hour, a little earlier or later', () => {
    const delays = ['a', 'b', 'c'].map((seed) =>
      nextSweep({ orphans: [], toEnd: [], isWatching: false }, seed, T0),
    );
    expect(new Set(delays).size).toBe(3);
    for (const at of delays) expect(Math.abs(at - T0 - HOUR)).toBeLessThanOrEqual(HOUR / 10);
  });

  it('comes as soon as what was seen once can be confirmed', () => {
    expect(nextSweep(look({}), 'seed', T0)).toBe(T0 + CONFIRM_AFTER);
  });

  it('comes later and later while something does not end', () => {
    const ended = looks([T0, T0 + CONFIRM_AFTER]);
    const at = (now: number) => nextSweep(ended, 'seed', now) - now;
    const asked = T0 + CONFIRM_AFTER;
    expect([at(asked), at(asked + 600 * SECOND)]).toEqual([120 * SECOND, 600 * SECOND]);
    expect(at(asked + 30 * HOUR)).toBeLessThanOrEqual(1.1 * HOUR);
  });

  it('is tried again later and later after failures, at most after an hour', () => {
    const delays = [1, 2, 3, 20].map((failures) => (sweepRetry(failures, 's', T0) - T0) / SECOND);
    for (const [index, expected] of [60, 120, 240, 3600].entries()) {
      expect(Math.abs((delays[index] ?? 0) - expected)).toBeLessThanOrEqual(expected / 10);
    }
  });
});
