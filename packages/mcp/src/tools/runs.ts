import * as z from 'zod';
import { bounded, firstOf } from '../bounds.ts';
import { tool } from '../tool.ts';
import { runName } from './inputs.ts';
import { JobSummary, jobSummary, RunSummary, runSummary } from './run-summary.ts';

/** Jobs of one run in an answer. */
const MOST_JOBS = 50;

export const listRunsTool = tool({
  name: 'list_runs',
  title: 'List runs',
  description:
    'Lists the runs of the project, newest first: status, cost, fleet. An array is one run; its members are listed with array.',
  kind: 'read',
  input: z.object({
    active_only: z.boolean().default(false).describe('Only runs that have not ended'),
    limit: z.int().min(1).max(100).default(20),
    array: runName
      .nullable()
      .default(null)
      .describe('The first members of this array instead, by index; get_run shows any other'),
  }),
  output: z.object({ project: z.string(), runs: z.array(RunSummary) }),
  run: async ({ active_only, limit, array }, { client, project }) => {
    const runs = await client.listRuns({
      project_name: project.name,
      only_active: active_only,
      include_jobs: false,
      limit,
      ...(array !== null && { array, ascending: true }),
    });
    const present = runs.filter((run) => run.deleted !== true);
    return { data: { project: project.name, runs: present.map(runSummary) } };
  },
});

export const getRunTool = tool({
  name: 'get_run',
  title: 'Show a run',
  description: 'Shows one run with its jobs (status, exit status, reason) and its configuration.',
  kind: 'read',
  input: z.object({ run: runName }),
  output: z.object({
    run: RunSummary,
    jobs: z.array(JobSummary),
    jobs_left_out: z.number(),
    configuration: z.record(z.string(), z.unknown()),
  }),
  run: async ({ run: name }, { project }) => {
    const run = await project.runs.get({ run_name: name });
    const { shown, left_out } = firstOf(run.jobs, MOST_JOBS);
    return {
      data: {
        run: runSummary(run),
        jobs: shown.map(jobSummary),
        jobs_left_out: left_out,
        configuration: bounded(stated(run.run_spec.configuration)) as Record<string, unknown>,
      },
    };
  },
});

/** Leaves out empty keys, of which the complete form has dozens, and values of variables, which may be secret. */
function stated(configuration: object): Record<string, unknown> {
  const { env, ...others } = pruned(configuration) as Record<string, unknown>;
  const names = env !== null && typeof env === 'object' ? Object.keys(env) : [];
  return names.length > 0 ? { ...others, env: names } : others;
}

function pruned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pruned);
  if (value === null || typeof value !== 'object') return value;
  const parts = Object.entries(value).map(([key, part]) => [key, pruned(part)] as const);
  return Object.fromEntries(parts.filter(([, part]) => !isEmpty(part)));
}

function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0);
}
