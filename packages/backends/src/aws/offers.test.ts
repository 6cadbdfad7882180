import { expect, it } from 'vitest';
import { type CatalogItem, catalogItems, parseCatalog } from '../catalog/catalog.ts';
import type { AwsCall, AwsClient } from './aws-client.ts';
import { AwsOffers } from './offers.ts';
import { xmlOf } from './xml.ts';

const COLUMNS =
  'provider,instance_name,locations,price,spot_price,cpu,memory,gpu_count,gpu_name,gpu_memory,gpu_vendor,cpu_arch,disk_size,flags,provider_data';
const listOf = (...rows: readonly string[]): readonly CatalogItem[] =>
  catalogItems(parseCatalog([COLUMNS, ...rows].join('\n')), 'aws');

/** EC2 as it sells every type that it is asked about, in one zone. */
function client(): AwsClient {
  const xml = async ({ parameters }: AwsCall) => {
    const { Filter } = parameters as { readonly Filter: [{ readonly Value: readonly string[] }] };
    const items = Filter[0].Value.map(
      (type) => `<item><instanceType>${type}</instanceType><location>zone</location></item>`,
    );
    return xmlOf(
      `<Answer><instanceTypeOfferingSet>${items.join('')}</instanceTypeOfferingSet></Answer>`,
    );
  };
  return { xml, json: async () => ({ Quotas: [] }) } as unknown as AwsClient;
}

it('are made of the catalogue that the server has read last', async () => {
  let listed = listOf('aws,t3.small,us-east-1,0.02,0.01,2,2,0,,,,x86,,,');
  const offers = new AwsOffers({
    ...{ client: client(), regions: ['us-east-1'], experimental: [], now: () => 0 },
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
