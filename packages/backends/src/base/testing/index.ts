export {
  type BackendWorld,
  OTHER_SERVER,
  OUR_SERVER,
  type ProviderCalls,
} from './backend-world.ts';
export { describeBackend } from './contract.suite.ts';
export { newOrder, REQUIREMENTS, withContainer } from './orders.ts';
