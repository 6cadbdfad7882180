/**
 * Statuses of a rollout.
 *
 *     progressing ─▶ done
 *      │  ▲   │
 *      │  │   └──▶ holding (the canaries are ready) ─▶ progressing
 *      │  └─▶ paused (by a user)
 *      └──▶ rolled_back (by the deadline or a user, from every status)
 *
 * Each update begins again with `progressing`. Only the deadline of `progressing` ends it; a user has
 * requested the others.
 */
export const ROLLOUT_STATUSES = [
  'progressing',
  'holding',
  'paused',
  'done',
  'rolled_back',
] as const;
export type RolloutStatus = (typeof ROLLOUT_STATUSES)[number];

/** The replicas are not replaced any further by themselves. */
export const isRolloutOver = (status: RolloutStatus): boolean =>
  status === 'done' || status === 'rolled_back';

export const isRolloutWaiting = (status: RolloutStatus): boolean =>
  status === 'paused' || status === 'holding';

export const isRolloutRolledBack = (status: RolloutStatus): boolean => status === 'rolled_back';
