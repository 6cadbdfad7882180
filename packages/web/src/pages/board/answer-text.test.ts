import type { RunPlan } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { planAnswer } from './answer-text.ts';

const plan = (more: object) =>
  ({
    ...{ action: 'create', current_resource: null, outlook: 'starts', expected_start: null },
    ...{ job_plans: [{ total_offers: 1 }], queue_place: null, is_about: false, ...more },
  }) as unknown as RunPlan;
const place = (instance_id: string) => ({ instance_id, blocks: 1 });

it.each([
  [{ places: [place('a')] }, 'It would start now, on 1 instance that is free.'],
  [{ places: [place('a'), place('b')] }, 'It would start now, on 2 instances that are free.'],
  [{ new_instances: 2 }, 'It would start now, on 2 new instances.'],
  [{}, 'It would start now.'],
])('of %j the answer is: %s', (more, text) => {
  expect(planAnswer(plan(more))).toBe(text);
});

it('of a run that waits has its place in the queue, its start and where that is', () => {
  const expected_start = '2026-12-01T08:00:00Z';
  const waits = { outlook: 'waits', queue_place: 3, expected_start, places: [place('a')] };
  expect(planAnswer(plan(waits))).toMatch(
    /^It waits, .* at place 3 of the queue and is expected to start at .*\. It would be on 1 instance that becomes free then\.$/,
  );
});
