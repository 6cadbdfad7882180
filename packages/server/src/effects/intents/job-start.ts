import type { IntentDescriptor } from './descriptor.ts';
import { byAgent, ON_JOB } from './on-job.ts';

export const jobStart: IntentDescriptor<'job.start'> = {
  ...ON_JOB,
  kind: 'job.start',
  mayCancel: true,
  handle: byAgent(({ effects, agent, view, instance, intent }) =>
    effects.starter.start(agent, view, instance, intent.payload.hold),
  ),
};
