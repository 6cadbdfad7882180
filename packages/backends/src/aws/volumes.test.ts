import { describe, expect, it } from 'vitest';
import { newOrder } from '../base/testing/orders.ts';
import { awsEndpoints } from './endpoints.ts';
import { EbsVolumes } from './volumes.ts';

/** Regions that users could name to have the server send signed calls elsewhere. */
const HOSTS = ['example.com/', 'evil.example:8443/?', 'x@10.0.0.1/', 'us-east-1.example', ''];

describe('a volume of AWS', () => {
  const asked: string[] = [];
  const volumes = new EbsVolumes({
    ...{ regions: ['eu-west-1'], tags: {}, zones: async () => ['eu-west-1a'] },
    of: (region) => {
      asked.push(region);
      throw new Error('asked');
    },
  });
  const order = (region: string) => ({
    ...{ key: 'volume.create:v:0', volumeId: 'v', name: 'data', owner: newOrder(null).owner },
    ...{ region, availabilityZone: null, sizeGib: 1, tags: {}, claim: null, directory: null },
  });

  it.each([...HOSTS, 'eu-west-2'])('is not made, or registered, in region %j', async (region) => {
    const refusal = /is not among the regions of the backend: eu-west-1/;
    await expect(volumes.create(order(region))).rejects.toThrow(refusal);
    await expect(volumes.register('vol-1', { region })).rejects.toThrow(refusal);
    expect(asked).toEqual([]);
  });

  it('is made in a region of the backend, however it is written', async () => {
    await expect(volumes.create(order('EU-West-1'))).rejects.toThrow('asked');
    expect(asked).toEqual(['eu-west-1']);
  });
});

describe('the address of a service', () => {
  it.each(HOSTS)('is not made of %j', (region) => {
    const { of } = awsEndpoints(null);
    expect(() => of('ec2', region)).toThrow('is no region of AWS');
  });
});
