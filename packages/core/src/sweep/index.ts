export {
  CLAIM_LIFETIME,
  CLAIM_WATCH,
  type Claim,
  type ClaimVerdict,
  hindranceOf,
  judgeClaims,
  soleSince,
  withNonce,
} from './claim.ts';
export type {
  ListedThing,
  OrphanOwner,
  OrphanRecord,
  SweepRecord,
} from './model.ts';
export {
  CONFIRM_AFTER,
  decideSweep,
  isEndable,
  isReportedElsewhere,
  orphanFoundEvent,
  type SweepDecision,
  type SweepInput,
  type Watched,
} from './orphans.ts';
export { isSweepDue, nextSweep, sweepRetry } from './schedule.ts';
