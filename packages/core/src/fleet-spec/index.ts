export { EVERYTHING, fleetRequirements } from '../profile/fleet-requirements.ts';
export { diffFleetSpecs, type FleetSpecDiff, fleetPlanAction, sameFleetSpec } from './diff.ts';
export { fleetEnv } from './env.ts';
export {
  type HostCapacity,
  type HostInput,
  hostCapacity,
  indivisibleText,
} from './host-capacity.ts';
export {
  type FleetHost,
  type FleetHostProxy,
  type FleetSpecContext,
  fleetHosts,
  hostAddress,
  prepareFleetSpec,
  type SshConfig,
} from './prepare.ts';
