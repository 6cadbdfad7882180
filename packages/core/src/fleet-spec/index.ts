export { fleetRequirements, UNCONSTRAINED } from './requirements.ts';
