export { CONTAINER_LAUNCHER, LAUNCHER_VARIABLES } from '../container-cloud/launcher.ts';
export type { CallKind } from '../rest-vm/call-limiter.ts';
export { sharedTurns } from '../rest-vm/shared-turns.ts';
export {
  type BackendWorld,
  OTHER_SERVER,
  OUR_SERVER,
  type ProviderCalls,
} from './backend-world.ts';
export { describeBackend } from './contract.suite.ts';
export { newOrder, REQUIREMENTS, withContainer } from './orders.ts';
