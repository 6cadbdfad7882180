import type { WorkDescriptor } from './descriptor.ts';

/** Asks backends what has become of their instances; each question waits for a network. */
export const observation: WorkDescriptor<'observation'> = {
  kind: 'observation',
  queues: { observation: 32 },
  lease: 'observation',
  schedule: 'observation',
  work: (deps) => deps.observation(deps.arm),
};
