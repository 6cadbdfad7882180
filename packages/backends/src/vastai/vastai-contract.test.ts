import { containerWorld } from '../base/testing/container-world.ts';
import { describeBackend } from '../base/testing/contract.suite.ts';
import { vastaiAt } from './testing.ts';

describeBackend('Vast.ai', () => containerWorld('vastai', vastaiAt), [
  'volumes',
  'groups',
  'gateways',
]);
