import { describeBackend } from '../base/testing/contract.suite.ts';
import { vmWorld } from '../base/testing/vm-world.ts';
import { digitalOceanAt } from './testing.ts';

const world = (type: 'digitalocean' | 'amddevcloud') => () =>
  vmWorld({
    personality: type,
    open: (cloud, pace) => digitalOceanAt({ cloud, url: cloud.url, type, pace }),
  });

const LACKS = ['volumes', 'groups', 'gateways'] as const;
describeBackend('DigitalOcean', world('digitalocean'), LACKS);
describeBackend('AMD Developer Cloud', world('amddevcloud'), LACKS);
