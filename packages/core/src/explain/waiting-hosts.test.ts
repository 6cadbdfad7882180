/** Explanations of runs that wait for hosts and volumes which cannot be used. */
import { describe, it } from 'vitest';
import type { MountableVolume } from '../model/index.ts';
import { anInstance, anOffer, CLOUD } from '../placement/testing.ts';
import { aHostVolume } from '../reconcile/testing/volumes.ts';
import { volumeRecord } from '../testing/records.ts';
import { aNamedRun, held } from './testing.ts';
import { BUSY, expectWaiting, host, LAB, type Waits } from './testing-waiting.ts';

const VOLUME: MountableVolume = {
  volume: aHostVolume({ status: 'active', fleetId: LAB.id, hostId: 'lab-1', shared: true }),
  ...{ attachments: [], users: [], missing: null },
};
const ATTACHED_TO_CLOUD_0: MountableVolume = {
  ...{ volume: volumeRecord(), attachments: [], missing: null },
  users: [{ instanceId: 'cloud-0', run: aNamedRun('eval') }],
};

const SITUATIONS: readonly Waits[] = [
  [
    'a host that cannot be reached',
    {
      fleets: [LAB],
      instances: [host(0, { unreachable: true, terminationMessage: 'no route to host' })],
    },
    {
      rules: ['unreachable'],
      summary: 'has no place now (lab-0 is unreachable (no route to host))',
      fixes: ['dstack explain instance lab-0'],
    },
  ],
  [
    'a host that fails its health checks',
    { fleets: [LAB], instances: [host(0, { health: 'failure' })] },
    { rules: ['unhealthy'], summary: 'lab-0 fails its health checks' },
  ],
  [
    'a host that fails a health check',
    {
      fleets: [LAB],
      instances: [host(0, { health: 'failure', healthMessage: 'gpu: GPU 1 is lost' })],
    },
    {
      rules: ['unhealthy'],
      summary: 'has no place now (lab-0 fails its health checks (gpu: GPU 1 is lost))',
      fixes: ['dstack explain instance lab-0'],
    },
  ],
  [
    'a cordoned host',
    {
      fleets: [LAB],
      instances: [
        host(0, {
          scheduling: { state: 'cordoned', reason: null, by: 'ann', since: 0, until: null },
        }),
      ],
    },
    {
      rules: ['cordoned'],
      summary: 'has no place now (lab-0 is cordoned by ann)',
      fixes: ['dstack explain instance lab-0'],
    },
  ],
  [
    'a host that is on its way',
    { fleets: [LAB], instances: [host(0, { status: 'provisioning' })] },
    {
      rules: ['not_ready'],
      summary: 'lab-0 is not up yet',
      fixes: ['dstack explain instance lab-0'],
    },
  ],
  [
    'a host that cannot be reached yet',
    {
      fleets: [LAB],
      instances: [
        host(0, { status: 'pending', offer: null, terminationMessage: '10.0.0.1:22: no route' }),
      ],
    },
    {
      rules: ['not_ready'],
      summary: 'has no place now (lab-0 is not up yet (10.0.0.1:22: no route))',
      fixes: ['dstack explain instance lab-0'],
    },
  ],
  [
    'a volume that does not exist',
    { configuration: { volumes: ['data:/data'] }, fleets: [LAB], instances: [host(0)] },
    { rules: ['volumes'], summary: 'Volume data not found' },
  ],
  [
    'a volume on another host',
    {
      ...{ configuration: { volumes: ['data:/data'] }, fleets: [LAB] },
      instances: [host(0), host(1, BUSY)],
      volumes: [VOLUME],
      holders: [held(host(1), 'eval')],
    },
    {
      rules: ['busy', 'volume_place'],
      summary: 'lab-1 is busy with eval',
    },
  ],
  [
    'a volume that another instance has',
    {
      ...{ configuration: { volumes: ['data:/data'] }, fleets: [CLOUD] },
      instances: [
        anInstance(CLOUD, 0, anOffer(), BUSY),
        anInstance(CLOUD, 1, anOffer(), { totalBlocks: 1 }),
      ],
      ...{ volumes: [ATTACHED_TO_CLOUD_0], offers: [anOffer()] },
    },
    {
      rules: ['busy', 'volume_in_use'],
      summary: 'cloud-1 is not where volume data is attached now: on cloud-0, where eval uses it',
    },
  ],
];

describe('a run whose hosts or volumes cannot be used', () => {
  it.each(SITUATIONS)('is explained: %s', (_name, situation, expected) => {
    expectWaiting(situation, expected);
  });
});
