import { formatConfigurationErrors, parseConfiguration } from '@dstack/contract';
import type { RunSpec } from '@dstack/contract/wire';
import * as z from 'zod';
import { ToolRefusal, tool } from '../tool.ts';
import { OfferSummary, offerSummary } from './run-summary.ts';
import { specOf } from './spec.ts';

export const offersTool = tool({
  name: 'list_offers',
  title: 'List offers',
  description:
    'Lists machines that would satisfy the requested resources, cheapest first, with price per hour and availability.',
  kind: 'read',
  input: z.object({
    cpu: z.string().max(50).default('1..').describe('Like 4.. or 8'),
    memory: z.string().max(50).default('0..').describe('Like 32GB..'),
    gpu: z.string().max(200).default('0..').describe('Like H100:2, A100:40GB.., or 24GB..:1..4'),
    max_price: z.number().positive().optional().describe('USD per hour'),
    spot: z.enum(['auto', 'spot', 'on-demand']).default('auto'),
    limit: z.int().min(1).max(50).default(20),
  }),
  output: z.object({
    offers: z.array(OfferSummary),
    total_offers: z.number(),
    notes: z.array(z.string()),
  }),
  run: async ({ cpu, memory, gpu, max_price, spot, limit }, context) => {
    const { project } = context;
    const document = JSON.stringify({
      ...{ type: 'task', image: 'scratch', commands: [':'], user: 'root' },
      resources: { cpu, memory, gpu, disk: null },
      spot_policy: spot,
      ...(max_price === undefined ? {} : { max_price }),
    });
    const parsed = parseConfiguration(document, 'configuration');
    if (!parsed.ok) {
      throw new ToolRefusal(formatConfigurationErrors(parsed.errors, 'request', document));
    }
    const { spec } = await specOf(document, context);
    const plan = await project.runs.getPlan({
      run_spec: { ...(spec as RunSpec), repo_id: null, repo_data: null },
      max_offers: limit,
      for_offers_only: true,
    });
    const [job] = plan.job_plans;
    return {
      data: {
        offers: (job?.offers ?? []).map(offerSummary),
        total_offers: job?.total_offers ?? 0,
        notes: [...plan.notes],
      },
    };
  },
});
