import { observationPass } from '../../capacity/observation-pass.ts';
import type { WorkDescriptor } from './descriptor.ts';

/** Observes instances at their backends. Each waits for an answer over a network. */
export const observation: WorkDescriptor<'observation'> = {
  kind: 'observation',
  queues: { observation: 32 },
  lease: 'observation',
  schedule: 'observation',
  isTimedInMemory: true,
  work: (deps) => observationPass({ ...deps, now: () => deps.context().now }),
};
