import { describe, expect, it } from 'vitest';
import type { BackendName } from '../model/index.ts';
import { type Capabilities, capabilitiesOf } from './capabilities.ts';

const NAMES: readonly BackendName[] = [
  ...(['aws', 'azure', 'gcp', 'oci', 'nebius', 'crusoe', 'vultr', 'lambda', 'verda'] as const),
  ...(['datacrunch', 'digitalocean', 'amddevcloud', 'hotaisle', 'cloudrift'] as const),
  ...(['jarvislabs', 'seeweb', 'runpod', 'vastai', 'daytona', 'lium'] as const),
  ...(['kubernetes', 'slurm', 'remote'] as const),
];

const having = (capability: keyof Capabilities) =>
  NAMES.filter((name) => capabilitiesOf(name)[capability] === true).join(' ');

describe('backends of dstack 0.22.5', () => {
  it.each([
    ['placementGroups', 'aws gcp nebius crusoe'],
    ['groupProvisioning', 'runpod slurm'],
    ['reservations', 'aws gcp'],
    ['volumes', 'aws gcp runpod daytona lium kubernetes remote'],
    ['gateway', 'aws azure gcp kubernetes remote'],
    ['privateGateway', 'aws gcp remote'],
    ['loadBalancer', 'aws gcp'],
    ['spot', 'aws azure gcp oci nebius verda datacrunch runpod vastai daytona lium'],
    [
      'multinode',
      'aws azure gcp oci nebius crusoe vultr jarvislabs seeweb runpod kubernetes slurm remote',
    ],
  ] as const)('with the capability %s', (capability, names) => {
    expect(having(capability)).toBe(names);
  });
});
