import * as z from 'zod';
import { type ToolContext, ToolRefusal, tool } from '../tool.ts';
import { configuration, confirm } from './inputs.ts';
import { isRefused, type Planned, PlanSummary, planned } from './planned.ts';
import { specOf } from './spec.ts';

export const applyTool = tool({
  name: 'apply_configuration',
  title: 'Apply a configuration',
  description:
    'Starts a run or creates a fleet, or updates it in place. Machines cost money: show the user the plan first. Without confirm: true nothing is started and the plan is returned.',
  kind: 'act',
  input: z.object({ configuration, confirm }),
  output: z.object({
    applied: z.boolean(),
    name: z.string().nullable(),
    status: z.string().nullable(),
    next: z.string(),
    plan: PlanSummary,
  }),
  run: async (input, context) => {
    const plan = await planned(await specOf(input.configuration, context), context);
    const { summary } = plan;
    if (!input.confirm) {
      const next = 'Nothing was started. After the user has agreed, call again with confirm: true.';
      return {
        data: { applied: false, name: summary.name, status: null, next, plan: summary },
      };
    }
    if (isRefused(summary)) throw new ToolRefusal(`Not applied: ${summary.action}.`);
    const { name, status } = await applied(plan, context);
    const next =
      plan.kind === 'run'
        ? `Call get_run with run ${name}; if it waits, explain; its output: get_logs.`
        : 'Call list_fleets.';
    return { data: { applied: true, name, status, next, plan: summary } };
  },
});

async function applied(
  planned: Planned,
  { project }: ToolContext,
): Promise<{ readonly name: string; readonly status: string }> {
  if (planned.kind === 'fleet') {
    const { plan } = planned;
    const { name, status } = await project.fleets.apply({
      spec: plan.spec,
      current_resource: plan.current_resource ?? null,
    });
    return { name, status };
  }
  // Every run belongs to a repo; one without code belongs to the repo `none`.
  await project.repos.init('none', { repo_type: 'virtual' }, null);
  const { plan, files } = planned;
  const archives = await files.upload();
  const run = await project.runs.apply({
    run_spec: { ...plan.run_spec, file_archives: [...archives] },
    current_resource: plan.current_resource ?? null,
  });
  return { name: run.run_spec.run_name ?? '', status: run.status };
}
