import type { Surroundings } from './considered.ts';
import type { Trials, TrialWorld } from './trials.ts';
import type { Waiting } from './waiting.ts';

/** The input of all fixes. */
export interface Repair {
  readonly waiting: Waiting;
  readonly world: TrialWorld;
  readonly around: Surroundings;
  readonly trials: Trials;
}
