import type { Requirements } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { catalogItems, loadCatalog, parseCatalog } from './catalog.ts';
import { parseCsv } from './csv.ts';
import { catalogOffer } from './offers.ts';

const HEADER =
  'provider,instance_name,locations,price,spot_price,cpu,memory,gpu_count,gpu_name,gpu_memory,gpu_vendor,cpu_arch,disk_size,flags,provider_data';

const anything = { resources: { disk: null } } as Requirements;

describe('the price catalogue', () => {
  it('makes an item for each location, on demand and spot', () => {
    const catalog = parseCatalog(
      `${HEADER}\naws,t3.small,us-east-1;eu-west-1,0.02,0.006,2,2,0,,,,x86,,,\n`,
    );
    expect(
      catalogItems(catalog, 'aws').map(({ location, price, spot }) => ({ location, price, spot })),
    ).toEqual([
      { location: 'us-east-1', price: 0.02, spot: false },
      { location: 'us-east-1', price: 0.006, spot: true },
      { location: 'eu-west-1', price: 0.02, spot: false },
      { location: 'eu-west-1', price: 0.006, spot: true },
    ]);
  });

  it('hides items with a flag that this server does not support', () => {
    const catalog = parseCatalog(`${HEADER}\ngcp,a4,us,1,,2,2,0,,,,x86,,gcp-a4 gcp-new,\n`);
    expect(catalogItems(catalog, 'gcp')).toEqual([]);
  });

  it('names the line of a number it cannot read', () => {
    expect(() => parseCatalog(`${HEADER}\naws,a,r,cheap,,2,2,0,,,,x86,,,\n`)).toThrow(
      'catalogue line 2: price is not a number',
    );
  });

  it('finds backends that are listed under the name of their provider', () => {
    const catalog = parseCatalog(`${HEADER}\nlambdalabs,gpu_1x,us,1,,2,2,1,A10,24,nvidia,x86,,,\n`);
    expect(catalogItems(catalog, 'lambda')).toHaveLength(1);
  });

  it('describes an offer with one GPU entry per device and sizes in MiB', () => {
    const catalog = parseCatalog(
      `${HEADER}\naws,p5,us,98.32,,192,2048,2,H100,80,nvidia,x86,,,"{""a"": 1}"\n`,
    );
    const [item] = catalogItems(catalog, 'aws');
    const offer = catalogOffer('aws', item!, anything, 'not_available', 'shim');
    expect(offer.instance.resources).toEqual({
      cpus: 192,
      memory_mib: 2097152,
      gpus: [
        { vendor: 'nvidia', name: 'H100', memory_mib: 81920 },
        { vendor: 'nvidia', name: 'H100', memory_mib: 81920 },
      ],
      spot: false,
      disk: { size_mib: 102400 },
      cpu_arch: 'x86',
      description: '',
    });
    expect(offer.backend_data).toEqual({ a: 1 });
  });

  it('gives a machine whose disk is sold separately the requested disk', () => {
    const [item] = catalogItems(parseCatalog(`${HEADER}\naws,p5,us,1,,2,2,0,,,,x86,,,\n`), 'aws');
    const large = { resources: { disk: { size: { min: 200, max: null } } } } as Requirements;
    const offer = catalogOffer('aws', item!, large, 'not_available', 'shim');
    expect(offer.instance.resources.disk).toEqual({ size_mib: 204800 });
  });

  it('ships with prices of every cloud it names', () => {
    const catalog = loadCatalog(new URL('../../data/catalog.csv', import.meta.url));
    expect(catalog.size).toBeGreaterThan(10);
    for (const [provider, items] of catalog) {
      expect(items.length, provider).toBeGreaterThan(0);
      for (const item of items) expect(item.price, item.instanceName).toBeGreaterThan(0);
    }
  });
});

describe('the CSV reader', () => {
  it('keeps commas, quotes and line breaks of quoted fields', () => {
    expect(parseCsv('a,b\r\n"x, ""y""\nz",2\r\n')).toEqual([{ a: 'x, "y"\nz', b: '2' }]);
  });
});
