import { containerWorld } from '../base/testing/container-world.ts';
import { describeBackend } from '../base/testing/contract.suite.ts';
import { runpodAt } from './testing.ts';

describeBackend('RunPod', () => containerWorld('runpod', runpodAt), [
  'volumes',
  'groups',
  'gateways',
]);
