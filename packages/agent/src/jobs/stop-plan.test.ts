import { expect, it } from 'vitest';
import { stopStage } from './stop-plan.ts';

const request = { requestedAt: 1000, grace: true, reason: 'terminated_by_user', message: null };
const byDefault = { stop_duration: 300, stop_duration_set: false };
const own = (seconds: number) => ({ stop_duration: seconds, stop_duration_set: true });
const after = (seconds: number): number => 1000 + seconds * 1000;

it.each([
  ['interrupts at once', byDefault, 0, 'interrupt', after(10)],
  ['terminates after 10 s', byDefault, 10, 'terminate', after(300)],
  ['kills after the default 5 minutes', byDefault, 300, 'kill', after(310)],
  ["terminates at half of the user's own limit", own(60), 30, 'terminate', after(60)],
  ["kills at the user's own limit", own(60), 60, 'kill', after(70)],
  ['kills at once with a limit of zero', own(0), 0, 'kill', after(10)],
  [
    'kills a limit that is over before SIGTERM is due',
    { stop_duration: 5, stop_duration_set: false },
    4,
    'interrupt',
    after(5),
  ],
] as const)('%s', (_, rules, seconds, stage, nextAt) => {
  expect(stopStage(request, rules, after(seconds))).toEqual({ stage, nextAt });
});

it.each([
  ['interrupts', 0, 'interrupt', after(10)],
  ['terminates after 10 s', 10, 'terminate', after(30)],
  ['kills at the end', 30, 'kill', after(40)],
] as const)('a notice %s, whatever `stop_duration` is', (_, seconds, stage, nextAt) => {
  for (const rules of [own(5), own(600), { stop_duration: null, stop_duration_set: true }]) {
    const now = after(seconds);
    expect(stopStage({ ...request, limit: 30 }, rules, now)).toEqual({ stage, nextAt });
  }
});

it('never kills by time without a limit', () => {
  const rules = { stop_duration: null, stop_duration_set: true };
  expect(stopStage(request, rules, after(1e6))).toEqual({ stage: 'terminate', nextAt: null });
});

it('kills at once without grace, and again while the job lives', () => {
  const abort = { ...request, grace: false };
  expect(stopStage(abort, byDefault, 1000)).toEqual({ stage: 'kill', nextAt: after(10) });
});
