import * as z from 'zod';
import { tool } from '../tool.ts';
import { confirm, runName } from './inputs.ts';

export const rerunTool = tool({
  name: 'rerun_run',
  title: 'Submit a run again',
  description:
    'Submits the stored configuration and code of a run again, under another name if new_name is given (needed while the run has not ended). failed_only: of an array, only the members that are not done. Without confirm: true nothing is submitted.',
  kind: 'act',
  input: z.object({
    run: runName,
    new_name: runName.nullable().default(null),
    failed_only: z.boolean().default(false),
    confirm,
  }),
  output: z.object({
    submitted: z.boolean(),
    run: z.string(),
    status: z.string(),
    next: z.string(),
  }),
  run: async (input, { project }) => {
    const { run: name, new_name: newName, failed_only: failedOnly, confirm: isConfirmed } = input;
    if (!isConfirmed) {
      const run = await project.runs.get({ run_name: name });
      const next = `Nothing was submitted. Run ${name} of ${run.user} is ${run.status}. After the user has agreed, call again with confirm: true.`;
      return { data: { run: name, status: run.status, submitted: false, next } };
    }
    const run = await project.runs.rerun({ run_name: name }, newName, { failedOnly });
    const data = { run: run.run_spec.run_name ?? name, status: run.status, submitted: true };
    return { data: { ...data, next: 'wait_run waits until it runs or has ended.' } };
  },
});
