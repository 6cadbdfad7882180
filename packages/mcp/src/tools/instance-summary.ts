/** An instance in the form in which tools return it. */
import type { Instance } from '@dstack/contract/wire';
import * as z from 'zod';

export const InstanceSummary = z.object({
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

export function instanceSummary(instance: Instance): z.infer<typeof InstanceSummary> {
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

function schedulingText({ scheduling }: Instance): string | null {
  if (!scheduling) return null;
  const { state, by, reason } = scheduling;
  return `${state}${by === null ? '' : ` by ${by}`}${reason === null ? '' : `: ${reason}`}`;
}
