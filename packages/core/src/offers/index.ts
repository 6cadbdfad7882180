export {
  type Capabilities,
  capabilitiesOf,
  configuredBackendName,
  gatewayBackend,
  isServerHost,
  LOCAL_BACKEND,
  LOCAL_PROCESS_INSTANCE,
  LOCAL_REGION_NAME,
  SERVER_HOST_BACKENDS,
  SSH_HOST_BACKEND,
} from '../capabilities/capabilities.ts';
export { computeCapabilityOf } from './accelerators.ts';
export { isAvailableOffer } from './availability.ts';
export { shareOffer, smallestShare, totalBlocksOf } from './blocks.ts';
export { type Combined, type CombineResult, combineFleetAndRun } from './combine.ts';
export {
  type CpuRow,
  type GpuRow,
  type GroupKey,
  type GroupOptions,
  groupByError,
  groupCpus,
  groupGpus,
} from './groups.ts';
export type { JobNeeds } from './job-needs.ts';
export { DEFAULT_MAX_OFFERS, listOffers, mergeByPrice, type OfferListing } from './listing.ts';
export { SERVER_HOST_GPUS } from './local-gpus.ts';
export {
  LOCAL_ADDRESS,
  LOCAL_HOST,
  LOCAL_LOOPBACK,
  LOCAL_MOUNTS,
  LOCAL_SLOTS,
  LOCAL_TRUSTED,
  LOCAL_USERS,
  LOCAL_WITHDRAWN,
  type LocalRefusal,
  localHostOf,
  localRefusal,
  localRefusalText,
} from './local-limits.ts';
export { firstMismatch, requirementsMatch } from './match.ts';
export { type Location, unmetLocation, unmetNeed } from './needs.ts';
export {
  type PartitionQos,
  SLURM_FEATURES,
  SLURM_PARTITIONS,
  SLURM_QOS,
} from './slurm-limits.ts';
