import type { Event, Job } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { timeScale } from './time-scale.ts';
import { timelineOf } from './timeline.ts';

const time = (second: number) => `2026-11-26T12:00:${String(second).padStart(2, '0')}.000000Z`;
const ms = (second: number) => Date.parse(time(second));

function submission(id: string, more: object = {}) {
  return {
    id,
    submission_num: 0,
    submitted_at: time(0),
    last_processed_at: time(9),
    finished_at: null,
    status: 'running',
    status_message: 'running',
    image_pull_progress: null,
    ...more,
  };
}
const job = (...submissions: object[]) =>
  ({ job_spec: { job_name: 'train-0-0' }, job_submissions: submissions }) as unknown as Job;
const event = (id: string, second: number, change: string): Event => ({
  id: `${id}-${second}`,
  message: `Job status changed ${change}`,
  recorded_at: time(second),
  actor_user: null,
  actor_user_id: null,
  is_actor_user_deleted: null,
  ...{ action: 'legacy', data: null, outcome: 'done', actor_token: null, actor_address: null },
  targets: [{ type: 'job', id, name: 'train-0-0', project_id: null, project_name: null } as never],
});
const shape = (jobs: Job[], events: Event[]) =>
  timelineOf(jobs, events).map(({ segments }) =>
    segments.map(({ phase, from, to }) => [
      phase,
      (from - ms(0)) / 1000,
      to === null ? null : (to - ms(0)) / 1000,
    ]),
  );

describe('the timeline of a run', () => {
  it('has a segment for each status, whatever the order of the events', () => {
    const events = [
      event('a', 5, 'PULLING -> RUNNING'),
      event('a', 1, 'SUBMITTED -> PROVISIONING'),
      event('a', 2, 'PROVISIONING -> PULLING'),
    ];
    expect(shape([job(submission('a'))], events)).toEqual([
      [
        ['queued', 0, 1],
        ['provisioning', 1, 2],
        ['pulling', 2, 5],
        ['running', 5, null],
      ],
    ]);
  });

  it('ends with the job', () => {
    const events = [
      event('a', 1, 'SUBMITTED -> PROVISIONING'),
      event('a', 2, 'PROVISIONING -> RUNNING'),
      event('a', 6, 'RUNNING -> TERMINATING'),
      event('a', 8, 'TERMINATING -> DONE'),
    ];
    const done = { status: 'done', status_message: 'exited (0)', finished_at: time(8) };
    const [row] = timelineOf([job(submission('a', done))], events);
    expect(row?.outcome).toEqual({ status: 'done', text: 'exited (0)' });
    expect(row?.segments.at(-1)).toEqual({ phase: 'ending', from: ms(6), to: ms(8) });
  });

  it('has a row for each attempt', () => {
    const jobs = [
      job(
        submission('a', { status: 'failed', finished_at: time(3) }),
        submission('b', { submission_num: 1, submitted_at: time(4), status: 'submitted' }),
      ),
    ];
    expect(timelineOf(jobs, []).map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(shape(jobs, [])).toEqual([[['queued', 0, 3]], [['queued', 4, null]]]);
  });

  it('shows the present phase without events', () => {
    expect(shape([job(submission('a'))], [])).toEqual([
      [
        ['queued', 0, 9],
        ['running', 9, null],
      ],
    ]);
  });
});

describe('the scale', () => {
  const rows = timelineOf(
    [job(submission('a'))],
    [event('a', 1, 'SUBMITTED -> PROVISIONING'), event('a', 2, 'PROVISIONING -> RUNNING')],
  );

  it('begins at the first change and ends now', () => {
    const scale = timeScale(rows, ms(50));
    expect([scale.at(ms(0)), scale.at(ms(50)), scale.at(ms(59))]).toEqual([0, 1, 1]);
  });

  it('keeps short phases visible beside a run of days', () => {
    const scale = timeScale(rows, ms(0) + 3 * 86_400_000);
    expect(scale.at(ms(1))).toBeGreaterThan(0.08);
    expect(scale.at(ms(2)) - scale.at(ms(1))).toBeGreaterThan(0.08);
    expect(scale.at(ms(2))).toBeLessThan(0.4);
  });
});
