import { describeBackend } from '../base/testing/contract.suite.ts';
import { vmWorld } from '../base/testing/vm-world.ts';
import { hotAisleAt } from './testing.ts';

const open = () =>
  vmWorld({
    personality: 'hotaisle',
    open: (cloud, pace) => hotAisleAt({ cloud, url: `${cloud.url}/api`, pace }),
  });

describeBackend('Hot Aisle', open, ['volumes', 'groups', 'gateways']);
