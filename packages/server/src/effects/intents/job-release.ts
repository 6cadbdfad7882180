import type { IntentDescriptor } from './descriptor.ts';
import { byAgent, ON_JOB } from './on-job.ts';

export const jobRelease: IntentDescriptor<'job.release'> = {
  ...ON_JOB,
  kind: 'job.release',
  mayCancel: true,
  handle: byAgent(({ effects, agent, view }) => effects.starter.release(agent, view)),
};
