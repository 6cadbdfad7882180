import type { Fleet, Instance } from '@dstack/contract/wire';
import * as z from 'zod';
import { firstOf } from '../bounds.ts';
import { tool } from '../tool.ts';

const MOST_FLEETS = 50;

/** Instances of one fleet in an answer. */
const MOST_INSTANCES = 30;

const InstanceSummary = z.object({
  name: z.string(),
  status: z.string(),
  type: z.string().nullable(),
  region: z.string().nullable(),
  price_usd_per_hour: z.number().nullable(),
  blocks: z.string().nullable(),
  health: z.string(),
  unreachable: z.boolean(),
  scheduling: z.string().nullable().describe('Why it gets no new jobs; null: it gets them'),
  reason: z.string().nullable(),
});

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

function instanceSummary(instance: Instance): z.infer<typeof InstanceSummary> {
  const { total_blocks: total, busy_blocks: busy } = instance;
  return {
    name: instance.name,
    status: instance.status,
    type: instance.instance_type?.name ?? null,
    region: instance.region ?? null,
    price_usd_per_hour: instance.price ?? null,
    blocks: total == null ? null : `${busy} of ${total} busy`,
    health: instance.health_status,
    unreachable: instance.unreachable,
    scheduling: schedulingText(instance),
    reason: instance.termination_reason_message || instance.termination_reason || null,
  };
}

function maintenanceText({ maintenance }: Fleet): string | null {
  if (!maintenance) return null;
  const { state, starts_at, ends_at } = maintenance;
  return `${state}: from ${starts_at} to ${ends_at}`;
}

function schedulingText({ scheduling }: Instance): string | null {
  if (!scheduling) return null;
  const { state, by, reason } = scheduling;
  return `${state}${by === null ? '' : ` by ${by}`}${reason === null ? '' : `: ${reason}`}`;
}
