export * from './autoscaling/index.ts';
export { changedKeys } from './compare/same.ts';
export * from './events/certificate-events.ts';
export * from './events/event-message.ts';
export * from './events/events.ts';
export * from './events/field-changes.ts';
export * from './events/gateway-events.ts';
export * from './events/record-event.ts';
export * from './explain/index.ts';
export * from './fleet-spec/index.ts';
export * from './gateway-spec/index.ts';
export * from './groups/index.ts';
export { stableHash } from './hash/stable-hash.ts';
export {
  AGENT_INSTALLATION,
  type ClusterSite,
  clusterSite,
  cordonInstance,
  divisionProblem,
  drainInstance,
  expectedObservation,
  type FreedCapacity,
  fleetCapacity,
  freedCapacity,
  freeNumbers,
  instanceName,
  isCloudCluster,
  isNews,
  isWorthStoring,
  LOCAL_CAPACITY,
  LONGEST_OBSERVATION_DELAY,
  MISSING_TOLERANCE,
  matchesFleet,
  nextBlocks,
  nodesOf,
  notAskedYet,
  notObserved,
  observed,
  offersAt,
  projectCapacity,
  reportPreparation,
  repriced,
  runtimeDataFor,
  type Site,
  siteText,
  sshHostInstance,
  takeBackInstance,
  terminateByUser,
  uncordonInstance,
  volumeTolerance,
  withDivision,
  withIdleDuration,
} from './instances/index.ts';
export * from './job-spec/index.ts';
export { fleetWindow } from './maintenance/index.ts';
export * from './model/index.ts';
export * from './names/index.ts';
export * from './offers/index.ts';
export * from './placement/index.ts';
export * from './plan/index.ts';
export * from './pricing/index.ts';
export * from './profile/index.ts';
export * from './quotas/index.ts';
export * from './reconcile/index.ts';
export * from './run-spec/index.ts';
export * from './schedule/index.ts';
export * from './shares/index.ts';
export * from './status/own.ts';
export * from './sweep/index.ts';
export * from './time/index.ts';
export * from './volume-spec/index.ts';
