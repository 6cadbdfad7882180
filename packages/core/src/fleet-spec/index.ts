export { diffFleetSpecs, type FleetSpecDiff, fleetPlanAction, sameFleetSpec } from './diff.ts';
export {
  type FleetHost,
  type FleetSpecContext,
  fleetHosts,
  hostAddress,
  prepareFleetSpec,
} from './prepare.ts';
export { fleetRequirements, UNCONSTRAINED } from './requirements.ts';
