import type { Store } from '@dstack/store';
import type { Random } from '@dstack/testkit/random';
import type { SimProjects } from './sim-projects.ts';

/** The parts that users act with. */
export interface UserParts extends SimProjects {
  readonly store: Store;
  readonly random: Random;
  readonly now: () => number;
}
