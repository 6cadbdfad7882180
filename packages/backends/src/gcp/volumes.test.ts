import { gcpFactsOf, manualClock, startCloud } from '@dstack/testkit/cloud';
import { expect, it, onTestFinished } from 'vitest';
import { NoAnswerError } from '../base/errors.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import type { VolumeOrder } from '../base/volume-port.ts';
import { gcpAt, REGION } from './testing.ts';

const ORDER: VolumeOrder = {
  ...{ key: 'volume.create:1:0', volumeId: '1', name: 'data', region: REGION, sizeGib: 20 },
  ...{ availabilityZone: null, tags: {}, directory: null },
  owner: { server: 's', project: 'main', fleet: '', instance: 'data' },
};

async function world() {
  const clock = manualClock();
  const cloud = await startCloud({ personality: 'gcp', clock, limits: false });
  const { volumes } = gcpAt({ cloud, pace: passingPace(clock) });
  if (volumes === null) throw new Error('it has no volumes');
  onTestFinished(() => cloud.close());
  return { clock, cloud, volumes };
}

it('a volume of GCP is a disk of one zone with a monthly price', async () => {
  const at = await world();
  const handle = await at.volumes.create(ORDER);
  expect(handle).toMatchObject({ region: REGION, data: '{"zone":"us-central1-a"}' });
  at.clock.advance(60);
  expect(await at.volumes.observe(handle)).toMatchObject({
    ...{ state: 'ready', availabilityZone: 'us-central1-a', price: 2.4 },
  });
});

it('a disk that two zones of a region have is registered by neither', async () => {
  const at = await world();
  for (const zone of ['a', 'b']) {
    at.cloud.account.volumes.create({
      ...{ name: 'twice', region: `${REGION}-${zone}`, sizeGib: 5, tags: [] },
    });
  }
  await expect(at.volumes.register('twice', { region: REGION })).rejects.toThrow(
    'there are disks twice in us-central1-a and us-central1-b',
  );
});

it('no volume is made twice because its zone does not answer', async () => {
  const at = await world();
  await at.volumes.create(ORDER);
  gcpFactsOf(at.cloud.account).unreachable.add('us-central1-a');
  await expect(at.volumes.create(ORDER)).rejects.toThrow(NoAnswerError);
  await expect(at.volumes.list({ server: 's' })).rejects.toThrow(NoAnswerError);
  expect(at.cloud.account.volumes.all()).toHaveLength(1);
});

it('only the regions of the backend have volumes', async () => {
  const at = await world();
  const elsewhere = at.volumes.create({ ...ORDER, region: 'us-west4' });
  await expect(elsewhere).rejects.toThrow('"us-west4" is not among the regions of the backend');
});
