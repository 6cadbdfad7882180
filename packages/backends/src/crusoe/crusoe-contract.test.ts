import { describeBackend } from '../base/testing/contract.suite.ts';
import { vmWorld } from '../base/testing/vm-world.ts';
import { crusoeAt } from './testing.ts';

const open = () =>
  vmWorld({
    personality: 'crusoe',
    open: (cloud, pace) => crusoeAt({ cloud, url: `${cloud.url}/v1alpha5`, pace }),
  });

describeBackend('Crusoe', open, ['volumes', 'groups', 'gateways']);
