/** Runs that have to end before a run starts. Ours: dstack 0.22.5 has no such key. */
import * as z from 'zod';
import { RESOURCE_NAME } from '../grammar/names.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { reportIssue } from './issue.ts';
import { firstDuplicate } from './rules.ts';
import { bool, string } from './scalars.ts';
import { choice, closed, named, shorthand } from './schema-kit.ts';

/** How the other run has to end: done, in any way, or not done. */
export const DEPENDENCY_CONDITIONS = ['success', 'end', 'failure'] as const;
export type DependencyCondition = (typeof DEPENDENCY_CONDITIONS)[number];

const DependencyModel = named(
  'RunDependency',
  closed({
    run: string({ pattern: RESOURCE_NAME, meaning: 'the name of a run' }),
    on: choice(DEPENDENCY_CONDITIONS).default('success'),
    keep: bool().default(false),
  }),
);

/** `name` or `{run, on, keep}`. */
export const RunDependency = shorthand(
  DependencyModel,
  (value) => (typeof value === 'string' ? { run: value } : value),
  (ref) => ({ anyOf: [ref(DependencyModel), { type: 'string' }] }),
);
export type RunDependency = z.infer<typeof RunDependency>;

const MOST = 100;

/** Each run at most once. */
export const RunDependencies = z.array(RunDependency).superRefine((list, ctx) => {
  if (list.length > MOST) {
    reportIssue(ctx, list, new Problem(`must have ${MOST} entries at most, has ${list.length}`));
  }
  const twice = firstDuplicate(list.map(({ run }) => run));
  if (twice !== undefined) {
    reportIssue(ctx, list, new Problem(`has the run ${quote(twice)} twice`));
  }
});
