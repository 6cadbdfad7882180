import * as z from 'zod';
import { tool } from '../tool.ts';
import { runName } from './inputs.ts';

export const eventsTool = tool({
  name: 'list_events',
  title: 'List events',
  description:
    'Lists what happened in the project, newest first: status changes of runs, jobs, instances, fleets, and who caused them.',
  kind: 'read',
  input: z.object({
    run: runName.optional().describe('Only this run and its jobs'),
    fleet: z.string().max(200).optional().describe('Only this fleet and its instances'),
    limit: z.int().min(1).max(100).default(30),
  }),
  output: z.object({
    events: z.array(
      z.object({
        at: z.string(),
        message: z.string(),
        actor: z.string().nullable(),
        targets: z.array(z.string()),
      }),
    ),
  }),
  run: async ({ run, fleet, limit }, { client, project }) => {
    const within =
      run !== undefined
        ? { within_runs: [(await project.runs.get({ run_name: run })).id] }
        : fleet !== undefined
          ? { within_fleets: [(await project.fleets.get({ name: fleet })).id] }
          : { within_projects: [(await client.projects.get(project.name)).project_id] };
    const events = await client.server.listEvents({ ...within, limit });
    return {
      data: {
        events: events.map(({ recorded_at, message, actor_user, targets }) => ({
          at: recorded_at,
          message,
          actor: actor_user ?? null,
          targets: targets.map(({ type, name }) => `${type} ${name}`),
        })),
      },
    };
  },
});
