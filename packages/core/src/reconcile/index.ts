export { reconcileFleet } from './fleet/reconcile-fleet.ts';
export {
  canBeDefault,
  defaultGatewayChanges,
  defaultGatewayEvent,
  defaultOnRunning,
  reconcileGateway,
} from './gateway/reconcile-gateway.ts';
export { reconcileGroup } from './instance/reconcile-group.ts';
export { reconcileInstance } from './instance/reconcile-instance.ts';
export { healthMessage } from './instance/track-health.ts';
export { isGang } from './job/gang.ts';
export { groupMemberJob, nodeAddress } from './job/node-address.ts';
export {
  type HoldRequest,
  holdRefusal,
  holdRun,
  isReleasable,
  releaseRun,
} from './run/hold.ts';
export { type NewSubmissions, newSubmissions } from './run/new-submission.ts';
export { reconcileRun } from './run/reconcile-run.ts';
export type { RunContext } from './run/run-pass.ts';
export { KEPT_SUBMISSIONS } from './run/submit-jobs.ts';
export { type RunStop, stopRun, terminateFleet, type UserRequest } from './run/user-requests.ts';
export {
  desiredAfterUpdate,
  pauseRollout,
  type Rollback,
  resumeRollout,
  rollback,
  startedRollout,
} from './service/rollout-state.ts';
export { type RouterAddress, routerAddressFor } from './service/router.ts';
export { autoscalingRules, scalesByDemand } from './service/scaled-groups.ts';
export { reconcileVolume } from './volume/reconcile-volume.ts';
