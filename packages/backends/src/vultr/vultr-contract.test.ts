import { describeBackend } from '../base/testing/contract.suite.ts';
import { vmWorld } from '../base/testing/vm-world.ts';
import { vultrAt } from './testing.ts';

const world = () =>
  vmWorld({ personality: 'vultr', open: (cloud, pace) => vultrAt({ cloud, pace }) });

describeBackend('Vultr', world, ['volumes', 'groups', 'gateways']);
