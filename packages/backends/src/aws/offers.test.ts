import { expect, it } from 'vitest';
import { type CatalogItem, catalogItems, parseCatalog } from '../catalog/catalog.ts';
import type { AwsCall, AwsClient } from './aws-client.ts';
import { AwsOffers, quotaNotes } from './offers.ts';
import { xmlOf } from './xml.ts';

const COLUMNS =
  'provider,instance_name,locations,price,spot_price,cpu,memory,gpu_count,gpu_name,gpu_memory,gpu_vendor,cpu_arch,disk_size,flags,provider_data';
const listOf = (...rows: readonly string[]): readonly CatalogItem[] =>
  catalogItems(parseCatalog([COLUMNS, ...rows].join('\n')), 'aws');

/** EC2 as it sells every type that it is asked about, in one zone. */
function client(limit: number | null = null): AwsClient {
  const xml = async ({ action, parameters }: AwsCall) => {
    if (action === 'DescribeSpotPriceHistory') return xmlOf('<Answer/>');
    const { Filter } = parameters as { readonly Filter: [{ readonly Value: readonly string[] }] };
    const items = Filter[0].Value.map(
      (type) => `<item><instanceType>${type}</instanceType><location>zone</location></item>`,
    );
    return xmlOf(
      `<Answer><instanceTypeOfferingSet>${items.join('')}</instanceTypeOfferingSet></Answer>`,
    );
  };
  const Quotas = limit === null ? [] : [{ QuotaCode: 'L-DB2E81BA', Value: limit }];
  return { xml, json: async () => ({ Quotas }) } as unknown as AwsClient;
}

it('are made of the catalogue that the server has read last', async () => {
  let listed = listOf('aws,t3.small,us-east-1,0.02,0.01,2,2,0,,,,x86,,,');
  const offers = new AwsOffers({
    ...{ client: client(), regions: ['us-east-1'], experimental: [], now: () => 0, clock: () => 0 },
    listed: () => listed,
  });
  const shown = async () =>
    (await offers.all()).map(
      ({ instance: { name, resources }, price }) => `${name} ${resources.spot} ${price}`,
    );
  expect(await shown()).toEqual(['t3.small false 0.02', 't3.small true 0.01']);
  listed = listOf(
    'aws,t3.small,us-east-1,0.03,,2,2,0,,,,x86,,,',
    'aws,m5.large,us-east-1,0.1,,2,8,0,,,,x86,,,',
  );
  expect(await shown()).toEqual(['t3.small false 0.03', 'm5.large false 0.1']);
  expect(offers.sizes('m5.large')?.resources.cpus).toBe(2);
  expect(offers.sizes('m7g.large')).toBeNull();
});

it('name each quota of a region once, with the smallest machine that is over it', async () => {
  const listed = listOf(
    ...['g5.2xlarge', 'g5.xlarge', 'g6.4xlarge'].map(
      (type, at) =>
        `aws,${type},us-east-1;eu-west-1,1,,${[8, 4, 16][at]},16,1,A10G,24,nvidia,x86,,,`,
    ),
  );
  const offers = new AwsOffers({
    ...{
      client: client(0),
      regions: ['us-east-1', 'eu-west-1'],
      experimental: [],
      now: () => 0,
      clock: () => 0,
    },
    listed: () => listed,
  });
  const all = await offers.all();
  expect(all).toHaveLength(6);
  expect(quotaNotes(all, (offer) => offers.limitOf(offer))).toEqual([
    'no quota: 4 vCPU of G in us-east-1, limit 0',
    'no quota: 4 vCPU of G in eu-west-1, limit 0',
  ]);
});
