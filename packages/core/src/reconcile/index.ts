export { isGang } from './gang.ts';
export { type NewSubmissions, newSubmissions } from './new-submission.ts';
export { groupMemberJob, nodeAddress } from './node-address.ts';
export { reconcileFleet } from './reconcile-fleet.ts';
export {
  canBeDefault,
  defaultGatewayChanges,
  defaultGatewayEvent,
  defaultOnRunning,
  reconcileGateway,
} from './reconcile-gateway.ts';
export { reconcileGroup } from './reconcile-group.ts';
export { reconcileInstance } from './reconcile-instance.ts';
export { reconcileRun } from './reconcile-run.ts';
export { reconcileVolume } from './reconcile-volume.ts';
export {
  desiredAfterUpdate,
  pauseRollout,
  type Rollback,
  resumeRollout,
  rollback,
  startedRollout,
} from './rollout-state.ts';
export { type RouterAddress, routerAddressFor } from './router.ts';
export type { RunContext } from './run-pass.ts';
export { autoscalingRules, scalesByDemand } from './scaled-groups.ts';
export { KEPT_SUBMISSIONS } from './submit-jobs.ts';
export { healthMessage } from './track-health.ts';
export { type RunStop, stopRun, terminateFleet, type UserRequest } from './user-requests.ts';
