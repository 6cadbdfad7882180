import * as z from 'zod';
import { tool } from '../tool.ts';
import { confirm, runName } from './inputs.ts';

const WORDS = { hold: 'held', release: 'released', priority: 'given another priority' } as const;

export const queueTool = tool({
  name: 'queue_run',
  title: 'Hold, release or prioritise a run',
  description:
    'Changes the place of a run in the queue: hold keeps a waiting run out of it until release; priority sets a number from 0 to 100 (higher is placed first). Without confirm: true nothing is changed.',
  kind: 'act',
  input: z.object({
    run: runName,
    action: z.enum(['hold', 'release', 'priority']),
    priority: z.int().min(0).max(100).default(0).describe('Only for the action priority'),
    confirm,
  }),
  output: z.object({
    changed: z.boolean(),
    run: z.string(),
    status: z.string(),
    next: z.string(),
  }),
  run: async ({ run: name, action, priority, confirm: isConfirmed }, { project }) => {
    if (!isConfirmed) {
      const run = await project.runs.get({ run_name: name });
      const next = `Nothing was changed. Run ${name} of ${run.user} is ${run.status_message || run.status} and would be ${WORDS[action]}. After the user has agreed, call again with confirm: true.`;
      return { data: { run: name, status: run.status, changed: false, next } };
    }
    if (action === 'hold') await project.runs.hold([name]);
    else if (action === 'release') await project.runs.release([name]);
    else await project.runs.setPriority(name, priority);
    const after = await project.runs.get({ run_name: name });
    const next = 'explain shows where it is in the queue.';
    return { data: { run: name, status: after.status, changed: true, next } };
  },
});
