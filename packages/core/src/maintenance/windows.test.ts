import { describe, expect, it } from 'vitest';
import { gapAfter, maintenanceProblem, windowAfter, windowAt } from './windows.ts';

const at = (text: string): number => Date.parse(text) * 1000;
const iso = (time: number): string => new Date(time / 1000).toISOString();
const HOUR = 3600;

const of = (schedule: string | string[], hours = 2, lead = HOUR) => ({
  ...{ schedule: [schedule].flat(), duration: hours * HOUR, lead },
});

function window(maintenance: ReturnType<typeof of>, now: string): string[] | null {
  const found = windowAt(maintenance, at(now));
  return found && [iso(found.startsAt), iso(found.endsAt)];
}

describe('the windows of maintenance', () => {
  // 2026-12-06 is a Sunday.
  const SUNDAYS = of('0 2 * * sun', 4);
  const FIRST = ['2026-12-06T02:00:00.000Z', '2026-12-06T06:00:00.000Z'];

  it('are the next one, the one that is on until its last moment, and the one after', () => {
    expect(window(SUNDAYS, '2026-12-01T00:00:00Z')).toEqual(FIRST);
    expect(window(SUNDAYS, '2026-12-06T02:00:00Z')).toEqual(FIRST);
    expect(window(SUNDAYS, '2026-12-06T05:59:59Z')).toEqual(FIRST);
    expect(window(SUNDAYS, '2026-12-06T06:00:00Z')?.[0]).toBe('2026-12-13T02:00:00.000Z');
  });

  it('are the same after a clock was set back', () => {
    expect(window(SUNDAYS, '2027-12-06T02:00:00Z')?.[0]).toBe('2027-12-12T02:00:00.000Z');
    expect(window(SUNDAYS, '2026-12-01T00:00:00Z')).toEqual(FIRST);
  });

  it('are at the same time of UTC all year, whatever the time zone of the server', () => {
    expect(window(SUNDAYS, '2026-03-29T01:30:00Z')?.[0]).toBe('2026-03-29T02:00:00.000Z');
    expect(window(SUNDAYS, '2026-10-25T01:30:00Z')?.[0]).toBe('2026-10-25T02:00:00.000Z');
  });

  it('are one if they overlap or touch, at whichever moment one looks', () => {
    const twice = of(['0 1 * * *', '0 2 * * *', '0 4 * * *'], 2);
    const whole = ['2026-12-01T01:00:00.000Z', '2026-12-01T06:00:00.000Z'];
    for (const now of ['00:00', '01:30', '03:10', '04:00', '05:59']) {
      expect(window(twice, `2026-12-01T${now}:00Z`)).toEqual(whole);
    }
  });

  it('do not exist where a schedule never fires', () => {
    expect(window(of('0 2 31 feb *'), '2026-12-01T00:00:00Z')).toBeNull();
  });

  it('are one only if they touch, also where they do not last whole minutes', () => {
    const every = (duration: number, ...schedule: string[]) => ({ schedule, duration, lead: 60 });
    const apart = every(90, '0,2 3 * * *');
    const first = ['2026-12-01T03:00:00.000Z', '2026-12-01T03:01:30.000Z'];
    const second = ['2026-12-01T03:02:00.000Z', '2026-12-01T03:03:30.000Z'];
    expect(window(apart, '2026-12-01T03:01:29Z')).toEqual(first);
    expect(window(apart, '2026-12-01T03:01:30Z')).toEqual(second);
    expect(window(apart, '2026-12-01T03:02:10Z')).toEqual(second);
    const joined = every(90, '0,1 3 * * *');
    for (const now of ['03:00:00', '03:01:29', '03:02:29']) {
      expect(window(joined, `2026-12-01T${now}Z`)?.[0]).toBe(first[0]);
    }
  });

  it('leave a time up to the next one', () => {
    const workdays = of('0 20 * * mon-fri', 4);
    const tuesday = windowAt(workdays, at('2026-12-01T00:00:00Z'));
    const friday = windowAt(workdays, at('2026-12-04T00:00:00Z'));
    if (tuesday === null || friday === null) throw new Error('no window');
    expect(gapAfter(workdays, tuesday) / HOUR).toBe(20);
    expect(gapAfter(workdays, friday) / HOUR).toBe(68);
    expect(windowAfter(workdays, tuesday)?.startsAt).toBe(at('2026-12-02T20:00:00Z'));
  });

  it.each([
    [of('0 2 * * sun'), null],
    [of('0 2 31 feb *'), 'never fires'],
    [of('0 * * * *', 1), 'no time between its windows'],
    [of('* * * * *', 1), 'no time between its windows'],
    [of('* 2-5 * * *', 1 / 60), 'more than 100 of which follow each other'],
    [of('* 0-22 * * *', 1 / 60), 'a `schedule` that fires less often'],
    [of('* 2 * * *', 1 / 60), null],
    // Twelve windows in a row with half an hour between them, and then a night.
    [of('0 8-19 * * mon-fri', 0.5), null],
    [of('*/2 * * * *', 1 / 60), 'no time for jobs between its windows'],
    [of('0 */2 * * *', 1), 'no time for jobs between its windows'],
  ])('are refused if they leave no time for work: %j', (maintenance, problem) => {
    const found = maintenanceProblem(maintenance);
    if (problem === null) expect(found).toBeNull();
    else expect(found).toContain(problem);
  });
});
