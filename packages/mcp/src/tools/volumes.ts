import * as z from 'zod';
import { firstOf } from '../bounds.ts';
import { tool } from '../tool.ts';

const MOST_VOLUMES = 50;

export const volumesTool = tool({
  name: 'list_volumes',
  title: 'List volumes',
  description:
    'Lists the volumes of the project: status, place, size, instances that use them, cost so far.',
  kind: 'read',
  input: z.object({}),
  output: z.object({
    volumes: z.array(
      z.object({
        name: z.string(),
        status: z.string(),
        status_message: z.string().nullable(),
        backend: z.string().nullable(),
        region: z.string().nullable(),
        size_gb: z.number().nullable(),
        attached_to: z.array(z.string()),
        cost_usd: z.number(),
      }),
    ),
    left_out: z.number(),
  }),
  run: async (_input, { project }) => {
    const { shown, left_out } = firstOf(await project.volumes.list(), MOST_VOLUMES);
    const volumes = shown.map((volume) => {
      const { backend = null, region = null } = volume.configuration as {
        readonly backend?: string | null;
        readonly region?: string | null;
      };
      return {
        name: volume.name,
        status: volume.status,
        status_message: volume.status_message ?? null,
        ...{ backend, region },
        size_gb: volume.provisioning_data?.size_gb ?? null,
        attached_to: (volume.attachments ?? []).map(({ instance }) => instance.name),
        cost_usd: volume.cost,
      };
    });
    return { data: { volumes, left_out } };
  },
});
