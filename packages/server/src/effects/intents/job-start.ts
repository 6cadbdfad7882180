import type { IntentDescriptor } from './descriptor.ts';
import { byAgent, ON_JOB } from './on-job.ts';

export const jobStart: IntentDescriptor<'job.start'> = {
  ...ON_JOB,
  kind: 'job.start',
  // After a start that was carried out, the run goes on when the agent reports the job.
  wakes: async (store, intent, result) =>
    result.kind === 'refused' ? await ON_JOB.wakes(store, intent) : [],
  mayCancel: true,
  handle: byAgent(({ effects, agent, view, instance, intent }) =>
    effects.starter.start(agent, view, instance, intent.payload.hold),
  ),
};
