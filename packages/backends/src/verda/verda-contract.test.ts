import { describeBackend } from '../base/testing/contract.suite.ts';
import { vmWorld } from '../base/testing/vm-world.ts';
import { verdaAt } from './testing.ts';

const world = () =>
  vmWorld({ personality: 'verda', open: (cloud, pace) => verdaAt({ cloud, pace }) });

describeBackend('Verda', world, ['volumes', 'groups', 'gateways']);
