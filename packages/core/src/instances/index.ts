/** The only code that changes the status of an instance. */
export {
  adoptHandle,
  adoptInstance,
  type CreationResult,
  describeInstance,
  isOffered,
  type OfferedInstance,
  recordInstance,
  repriced,
} from './adopt.ts';
export {
  type FreedCapacity,
  fleetCapacity,
  freedCapacity,
  LOCAL_CAPACITY,
  projectCapacity,
  signalCapacity,
} from './capacity.ts';
export {
  type ClusterSite,
  clusterSite,
  fixedSite,
  isCloudCluster,
  isInstanceCreated,
  masterOf,
  offersAt,
  type Site,
  siteText,
  untriedIn,
} from './cluster.ts';
export { cordonInstance, drainInstance, endCordon, uncordonInstance } from './cordon.ts';
export { divisionProblem, nextBlocks, settleDivision, withDivision } from './division.ts';
export { fleetMatcher, matchesFleet, nodesOf } from './fleet-match.ts';
export {
  freeNumbers,
  type InstancePlace,
  instanceName,
  newInstance,
  planInstance,
  sshHostInstance,
  withIdleDuration,
} from './new-instance.ts';
export {
  expectedObservation,
  isNews,
  isWorthStoring,
  LONGEST_OBSERVATION_DELAY,
  MISSING_TOLERANCE,
  notAskedYet,
  notObserved,
  observed,
  volumeTolerance,
} from './observation.ts';
export {
  AGENT_INSTALLATION,
  CONNECTING,
  ORDERED,
  reportPreparation,
} from './preparation.ts';
export { releaseInstance, settleFree } from './release.ts';
export { correctReservation, occupyReserved, reserveInstance } from './reserve.ts';
export { runtimeDataFor } from './runtime-data.ts';
export { occupyInstance, startInstance } from './start.ts';
export { type TakeBack, takeBackInstance } from './take-back.ts';
export {
  abandonPlanned,
  discardPlaceholder,
  finishInstance,
  terminateByUser,
  terminateInstance,
} from './terminate.ts';
