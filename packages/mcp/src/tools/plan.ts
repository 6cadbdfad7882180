import * as z from 'zod';
import { tool } from '../tool.ts';
import { configuration } from './inputs.ts';
import { PlanSummary, planned } from './planned.ts';
import { specOf } from './spec.ts';

export const planTool = tool({
  name: 'plan_run',
  title: 'Plan a configuration',
  description:
    'Checks a configuration (task, service, dev environment or fleet) and shows what applying it would do: machines, prices per hour, notes. Changes nothing.',
  kind: 'read',
  input: z.object({ configuration }),
  output: PlanSummary,
  run: async (input, context) => {
    const { summary } = await planned(await specOf(input.configuration, context), context);
    return { data: { ...summary } };
  },
});
