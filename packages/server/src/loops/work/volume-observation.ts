import { volumeObservationPass } from '../../capacity/volume-observation-pass.ts';
import type { WorkDescriptor } from './descriptor.ts';

/** Observes volumes at their backends. */
export const volumeObservation: WorkDescriptor<'volume-observation'> = {
  kind: 'volume-observation',
  queues: { 'volume-observation': 8 },
  lease: 'volume-observation',
  schedule: 'volume-observation',
  isTimedInMemory: true,
  work: (deps) => volumeObservationPass({ ...deps, now: () => deps.context().now }),
};
