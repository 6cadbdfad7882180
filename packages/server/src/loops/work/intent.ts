import { descriptorOfKey } from '../../effects/intents/index.ts';
import type { WorkDescriptor } from './descriptor.ts';

/** Carries out announced effects. They wait for networks, so many run at a time. */
export const intent: WorkDescriptor<'intent'> = {
  kind: 'intent',
  queues: { job: 64, machine: 64 },
  queueOf: (key) => descriptorOfKey(key)?.queue ?? 'job',
  lease: 'intent',
  schedule: null,
  isOurs: ({ effectIsOurs }, key) => effectIsOurs(key),
  work: ({ effect }) => effect,
};
