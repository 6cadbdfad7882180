import { NotNow } from '../not-now.ts';
import type { IntentDescriptor } from './descriptor.ts';
import { byAgent, ignoringUnknown, ON_JOB } from './on-job.ts';

export const jobStop: IntentDescriptor<'job.stop'> = {
  ...ON_JOB,
  kind: 'job.stop',
  // If the agent has reported the job, the run waits for the report of the end.
  wakes: async (store, intent, result) => {
    const isReported = (await store.reports.byJobs([intent.subjectId])).length > 0;
    return isReported && result.kind !== 'refused' ? [] : await ON_JOB.wakes(store, intent);
  },
  mayCancel: true,
  handle: byAgent(async ({ effects, agent, view, intent }) => {
    const { grace, reason, message } = intent.payload;
    if (grace && reason === 'scaled_down' && !effects.drain.isDone(view, intent.key)) {
      throw new NotNow('requests are under way');
    }
    await ignoringUnknown(agent.stopJob(view.job.id, { grace, reason, message }));
  }),
};
