import type { RunRecord } from '../../model/index.ts';

/** A run that claims capacity, or for which capacity is held. */
export type Claimant = Pick<
  RunRecord,
  'id' | 'name' | 'projectId' | 'userId' | 'priority' | 'submittedAt'
>;
