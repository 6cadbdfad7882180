import { describeBackend } from '../base/testing/contract.suite.ts';
import { vmWorld } from '../base/testing/vm-world.ts';
import { lambdaAt } from './testing.ts';

const world = () =>
  vmWorld({ personality: 'lambda', open: (cloud, pace) => lambdaAt({ cloud, pace }) });

describeBackend('Lambda', world, ['volumes', 'groups', 'gateways']);
