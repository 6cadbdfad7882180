export { diffFleetSpecs, type FleetSpecDiff, fleetPlanAction, sameFleetSpec } from './diff.ts';
export { fleetEnv } from './env.ts';
export { type HostAnswer, type HostQuestion, machineOfHost } from './host-machine.ts';
export {
  type FleetHost,
  type FleetHostProxy,
  type FleetSpecContext,
  fleetHosts,
  hostAddress,
  prepareFleetSpec,
} from './prepare.ts';
export { fleetRequirements, UNCONSTRAINED } from './requirements.ts';
