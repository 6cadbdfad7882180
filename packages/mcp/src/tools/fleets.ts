import type { Fleet } from '@dstack/contract/wire';
import * as z from 'zod';
import { firstOf } from '../bounds.ts';
import { tool } from '../tool.ts';
import { InstanceSummary, instanceSummary } from './instance-summary.ts';

const MOST_FLEETS = 50;

/** Instances of one fleet in an answer. */
const MOST_INSTANCES = 30;

export const fleetsTool = tool({
  name: 'list_fleets',
  title: 'List fleets',
  description:
    'Lists the fleets of the project and their instances: status, type, price, health, who keeps jobs off them.',
  kind: 'read',
  input: z.object({ name: z.string().max(200).optional().describe('Only this fleet') }),
  output: z.object({
    fleets: z.array(
      z.object({
        name: z.string(),
        project: z.string(),
        status: z.string(),
        status_message: z.string().nullable(),
        maintenance: z
          .string()
          .nullable()
          .describe('The present or next time in which nothing runs on it; null: none'),
        instances: z.array(InstanceSummary),
        instances_left_out: z.number(),
      }),
    ),
    fleets_left_out: z.number(),
  }),
  run: async ({ name }, { project }) => {
    const fleets =
      name === undefined ? await project.fleets.list() : [await project.fleets.get({ name })];
    const present = firstOf(fleets, MOST_FLEETS);
    return {
      data: {
        fleets_left_out: present.left_out,
        fleets: present.shown.map((fleet) => {
          const { shown, left_out } = firstOf(fleet.instances, MOST_INSTANCES);
          return {
            name: fleet.name,
            project: fleet.project_name,
            status: fleet.status,
            status_message: fleet.status_message ?? null,
            maintenance: maintenanceText(fleet),
            instances: shown.map(instanceSummary),
            instances_left_out: left_out,
          };
        }),
      },
    };
  },
});

function maintenanceText({ maintenance }: Fleet): string | null {
  if (!maintenance) return null;
  const { state, starts_at, ends_at } = maintenance;
  return `${state}: from ${starts_at} to ${ends_at}`;
}
