import * as z from 'zod';
import { firstOf } from '../bounds.ts';
import { tool } from '../tool.ts';

const MOST_ROWS = 50;

const instant = z.iso.datetime({ offset: true }).optional();

/** `cost_usd` and `total_usd` null: the price of the machines is not known. */
const costRow = z.object({
  name: z.string(),
  hours: z.number(),
  gpu_hours: z.number(),
  cost_usd: z.number().nullable(),
});

export const costTool = tool({
  name: 'get_cost',
  title: 'Show costs',
  description:
    'Sums what the runs of the project have cost in US dollars, by run, user, fleet, gpu or day; null = the machines have no price.',
  kind: 'read',
  input: z.object({
    by: z.enum(['run', 'user', 'fleet', 'gpu', 'day']).default('run'),
    since: instant.describe('ISO 8601; default: 30 days before until'),
    until: instant.describe('ISO 8601; default: now'),
  }),
  output: z.object({
    since: z.string(),
    until: z.string(),
    total_usd: z.number().nullable(),
    rows: z.array(costRow),
    rows_left_out: z.number(),
  }),
  run: async ({ by, since = null, until = null }, { client, project }) => {
    const report = await client.server.cost({ project_name: project.name, since, until, by });
    const { shown, left_out } = firstOf(report.rows, MOST_ROWS);
    const rows = shown.map(
      ({ run_name: run, username: user, fleet_name: fleet, gpu, day, ...row }) => ({
        name: { run, user, fleet, gpu, day }[by] ?? '',
        ...{ hours: row.hours, gpu_hours: row.gpu_hours ?? 0, cost_usd: row.cost },
      }),
    );
    const isUnknown = report.total === 0 && report.rows.some(({ cost }) => cost === null);
    const total_usd = isUnknown ? null : report.total;
    return {
      data: {
        ...{ since: report.since, until: report.until, total_usd, rows },
        rows_left_out: left_out,
      },
    };
  },
});
