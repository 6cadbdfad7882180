import { expect, it } from 'vitest';
import { ModelStats, NO_MODEL, sumOfModels } from './model-stats.ts';

function stats() {
  const clock = { now: 1_000_000_000 };
  return { clock, subject: new ModelStats(() => clock.now) };
}

it('tokens and times to the first part count for a minute, and in total', () => {
  const { clock, subject } = stats();
  subject.add('run', { promptTokens: 10, completionTokens: 100 }, 40);
  subject.add('run', { promptTokens: 5, completionTokens: 20 }, null);
  const known = subject.of('run');
  expect(known).toMatchObject({ answers: 2, promptTokens: 15, completionTokens: 120 });
  expect(known?.first.seconds).toBeCloseTo(0.04);
  expect(known?.recent).toMatchObject({ answers: 2, completionTokens: 120, buckets: [[20, 1]] });
  clock.now += 61_000;
  expect(subject.of('run')).toMatchObject({
    ...{ answers: 2, completionTokens: 120, recent: { answers: 0, buckets: [] } },
  });
  expect(subject.of('other')).toBeNull();
});

it('counts of several processes are added up', () => {
  const [one, other] = [stats().subject, stats().subject];
  one.add('run', { promptTokens: 1, completionTokens: 2 }, 40);
  other.add('run', { promptTokens: 3, completionTokens: 4 }, 40);
  const all = [one, other].flatMap((it) => it.of('run') ?? []).reduce(sumOfModels, NO_MODEL);
  expect(all).toMatchObject({ answers: 2, promptTokens: 4, completionTokens: 6 });
  expect(all.recent.buckets).toEqual([[20, 2]]);
});

it('a bounded number of services is remembered: those that have answered last', () => {
  const { subject } = stats();
  for (let n = 0; n < 5000; n++) subject.add(`run-${n}`, NO_MODEL, null);
  subject.add('run-0', NO_MODEL, null);
  subject.add('new', NO_MODEL, null);
  const answers = ['run-0', 'run-1', 'run-2', 'new'].map((id) => subject.of(id)?.answers ?? null);
  expect(answers).toEqual([2, null, 1, 1]);
});
