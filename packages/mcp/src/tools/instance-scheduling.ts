import { DEFAULT_DRAIN } from '@dstack/contract/api';
import type { Instance } from '@dstack/contract/wire';
import * as z from 'zod';
import { type ToolContext, ToolRefusal, tool } from '../tool.ts';
import { confirm } from './inputs.ts';
import { InstanceSummary, instanceSummary } from './instance-summary.ts';

const MOST_INSTANCES = 30;

const EFFECTS = {
  cordon: 'would get no new jobs; present jobs go on',
  drain: 'would get no new jobs, and the present jobs would have to leave',
  uncordon: 'would get new jobs again',
} as const;

export const instanceSchedulingTool = tool({
  name: 'instance_scheduling',
  title: 'Cordon, drain or uncordon instances',
  description:
    'cordon keeps new jobs off instances; drain also has their jobs go on elsewhere by a deadline; uncordon lets jobs come again. Without confirm: true nothing is changed.',
  kind: 'act',
  input: z.object({
    action: z.enum(['cordon', 'drain', 'uncordon']),
    instances: z.array(z.string().min(1).max(200)).min(1).max(MOST_INSTANCES),
    reason: z.string().max(200).nullable().default(null).describe('Why, for those who wait'),
    seconds: z
      .int()
      .min(1)
      .nullable()
      .default(null)
      .describe('How long a cordon lasts (null: until uncordon); deadline of a drain (null: 1 h)'),
    confirm,
  }),
  output: z.object({
    changed: z.boolean(),
    instances: z.array(InstanceSummary),
    next: z.string(),
  }),
  run: async (input, context) => {
    const { action, reason, seconds, confirm: isConfirmed } = input;
    if (action === 'uncordon' && (reason !== null || seconds !== null)) {
      throw new ToolRefusal('uncordon has neither reason nor time. Leave out reason and seconds.');
    }
    if (!isConfirmed) {
      const found = await instancesNamed(input.instances, context);
      const names = found.map(({ name, status }) => `${name} (${status})`).join(', ');
      const next = `Nothing was changed. ${names} ${EFFECTS[action]}. After the user has agreed, call again with confirm: true.`;
      return { data: { changed: false, instances: found.map(instanceSummary), next } };
    }
    const changed = await change(input, context);
    const next = 'list_fleets shows who keeps jobs off which instance.';
    return { data: { changed: true, instances: changed.map(instanceSummary), next } };
  },
});

interface Change {
  readonly action: keyof typeof EFFECTS;
  readonly instances: readonly string[];
  readonly reason: string | null;
  readonly seconds: number | null;
}

async function change(
  { action, instances: names, reason, seconds }: Change,
  { project: { instances } }: ToolContext,
): Promise<readonly Instance[]> {
  switch (action) {
    case 'cordon':
      return await instances.cordon(names, { reason, until: null, seconds });
    case 'drain':
      return await instances.drain(names, { reason, seconds: seconds ?? DEFAULT_DRAIN });
    case 'uncordon':
      return await instances.uncordon(names);
  }
}

/** Throws if one does not exist, so that the user is not asked in vain. Imported ones are another project's to decide. */
async function instancesNamed(
  names: readonly string[],
  { project }: ToolContext,
): Promise<readonly Instance[]> {
  const fleets = await project.fleets.list();
  const own = fleets
    .flatMap(({ instances }) => instances)
    .filter(({ project_name: owner }) => owner === project.name);
  return names.map((name) => {
    const found = own.find((each) => each.name === name);
    if (found !== undefined) return found;
    throw new ToolRefusal(
      `Project ${project.name} has no instance ${name}. list_fleets shows its instances.`,
    );
  });
}
