import { isRunFinished } from '@dstack/contract/status';
import * as z from 'zod';
import { tool } from '../tool.ts';
import { confirm, runName } from './inputs.ts';

export const stopTool = tool({
  name: 'stop_run',
  title: 'Stop a run',
  description:
    'Stops a run: its program gets Ctrl-C, then SIGTERM, then SIGKILL (abort: SIGKILL at once). Without confirm: true nothing is stopped.',
  kind: 'act',
  input: z.object({ run: runName, abort: z.boolean().default(false), confirm }),
  output: z.object({
    stopping: z.boolean(),
    run: z.string(),
    status: z.string(),
    next: z.string(),
  }),
  run: async ({ run: name, abort, confirm: isConfirmed }, { project }) => {
    const run = await project.runs.get({ run_name: name });
    const state = { run: name, status: run.status };
    if (isRunFinished(run.status)) {
      return { data: { ...state, stopping: false, next: 'The run has ended already.' } };
    }
    if (!isConfirmed) {
      const next = `Nothing was stopped. Run ${name} of ${run.user} is ${run.status}. After the user has agreed, call again with confirm: true.`;
      return { data: { ...state, stopping: false, next } };
    }
    await project.runs.stop([name], abort);
    const after = await project.runs.get({ run_name: name });
    const next = 'The run ends in the background; get_run shows when it has.';
    return { data: { run: name, status: after.status, stopping: true, next } };
  },
});
