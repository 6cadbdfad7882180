import * as z from 'zod';
import { tool } from '../tool.ts';
import { jobOf, node, replica, runName } from './inputs.ts';

export const metricsTool = tool({
  name: 'get_metrics',
  title: 'Show metrics of a run',
  description:
    'Shows CPU, memory and GPU use of a job: last value, minimum, mean and maximum of the last samples of each metric.',
  kind: 'read',
  input: z.object({
    run: runName,
    replica,
    node,
    samples: z.int().min(1).max(1000).default(60).describe('How many of the newest samples'),
  }),
  output: z.object({
    job: z.string(),
    metrics: z.array(
      z.object({
        name: z.string(),
        samples: z.number(),
        newest_at: z.string().nullable(),
        last: z.number().nullable(),
        min: z.number().nullable(),
        mean: z.number().nullable(),
        max: z.number().nullable(),
      }),
    ),
  }),
  run: async (given, { project }) => {
    const run = await project.runs.get({ run_name: given.run });
    const { job } = jobOf(run, given.replica, given.node);
    const query = { replica_num: given.replica, job_num: given.node, limit: given.samples };
    const { metrics } = await project.metrics.job(given.run, query);
    return {
      data: {
        job: job.job_spec.job_name,
        metrics: metrics.map(({ name, timestamps, values }) => ({
          name,
          samples: values.length,
          newest_at: timestamps[0] ?? null,
          last: values[0] ?? null,
          min: values.length > 0 ? Math.min(...values) : null,
          mean: values.length > 0 ? values.reduce((a, b) => a + b, 0) / values.length : null,
          max: values.length > 0 ? Math.max(...values) : null,
        })),
      },
    };
  },
});
