/** The answers are small, in the forms that the providers publish. */
import { readFileSync } from 'node:fs';
import { parseCatalog } from '@dstack/backends';
import { describe, expect, it } from 'vitest';
import { aws } from './aws.ts';
import { azure } from './azure.ts';
import { buildCatalogue } from './build.ts';
import { oci } from './oci.ts';
import { COLUMNS, readRows } from './price-row.ts';
import type { Ask, PriceReader } from './reader.ts';
import { vultr } from './vultr.ts';

const TODAY = '2026-12-01';
const SAMPLES = new URL('../../packages/backends/data/catalog.csv', import.meta.url);
const header = COLUMNS.join(',');
const catalogue = (...lines: string[]) => `${[header, ...lines].join('\n')}\n`;

/** Addresses by a part of them; text comes in pieces of a few bytes. */
function answers(of: Readonly<Record<string, unknown>>): Ask & { readonly asked: string[] } {
  const asked: string[] = [];
  const find = (url: string): unknown => {
    asked.push(url);
    const part = Object.keys(of).find((one) => url.includes(one));
    if (part === undefined) throw new Error(`HTTP 404: ${url}`);
    return of[part];
  };
  return {
    asked,
    json: async (url) => structuredClone(find(url)),
    async *text(url) {
      const text = String(find(url));
      for (let at = 0; at < text.length; at += 7) yield text.slice(at, at + 7);
    },
  };
}

interface Scene {
  readonly reader: PriceReader;
  readonly last: string;
  readonly ask: Ask;
  readonly accepted?: readonly string[];
  readonly isEverywhere?: boolean;
}

const build = async ({ reader, last, ask, accepted = [], isEverywhere = false }: Scene) =>
  await buildCatalogue({ readers: [reader], last, ask, today: TODAY, accepted, isEverywhere });

const linesOf = (text: string) => text.trim().split('\n').slice(1);
const reportOf = ({ reports }: Awaited<ReturnType<typeof build>>, seller: string) =>
  reports.find((one) => one.seller === seller);

const AWS_COLUMNS = [
  ...['SKU', 'TermType', 'PriceDescription', 'Unit', 'PricePerUnit', 'Currency', 'Location Type'],
  ...['Instance Type', 'Current Generation', 'vCPU', 'Physical Processor', 'Memory', 'GPU'],
  ...['Tenancy', 'Operating System', 'CapacityStatus', 'Pre Installed S/W', 'MarketOption'],
  'Region Code',
];
const ec2 = (type: string, price: string, more: Readonly<Record<string, string>> = {}) => {
  const cells: Readonly<Record<string, string>> = {
    ...{ SKU: 'X', TermType: 'OnDemand', Unit: 'Hrs', PricePerUnit: price, Currency: 'USD' },
    ...{ 'Location Type': 'AWS Region', 'Instance Type': type, 'Current Generation': 'Yes' },
    ...{ vCPU: '4', Memory: '16 GiB', 'Physical Processor': 'AMD EPYC', Tenancy: 'Shared' },
    ...{ 'Operating System': 'Linux', CapacityStatus: 'Used', 'Pre Installed S/W': 'NA' },
    ...{ MarketOption: 'OnDemand', 'Region Code': 'us-east-1' },
    ...{ PriceDescription: 'a "good", cheap one' },
    ...more,
  };
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  return AWS_COLUMNS.map((name) => quoted(cells[name] ?? '')).join(',');
};
const ec2List = (...lines: string[]) =>
  [
    '"FormatVersion","v1.0"',
    '"OfferCode","AmazonEC2"',
    AWS_COLUMNS.map((name) => `"${name}"`).join(','),
    ...lines,
  ].join('\r\n');
const AWS_INDEX = {
  regions: Object.fromEntries(
    ['us-east-1', 'eu-west-1', 'us-east-1-bos-1', 'us-gov-west-1'].map((region) => [
      region,
      { currentVersionUrl: `/offers/v1.0/aws/AmazonEC2/2026/${region}/index.json` },
    ]),
  ),
};
const G5 = 'aws,g5.xlarge,us-east-1,1.006,0.4,4,16,1,A10G,24,nvidia,x86,,,,2025,general-knowledge';

describe('the list of EC2', () => {
  const list = ec2List(
    ec2('g5.xlarge', '1.1000000000', { GPU: '1' }),
    ec2('g5.12xlarge', '5.672', { GPU: '4', vCPU: '48', Memory: '1,192 GiB' }),
    ec2('m8g.large', '0.09', { 'Physical Processor': 'AWS Graviton4 Processor' }),
    ec2('g5.xlarge', '9', { GPU: '1', 'Operating System': 'Windows' }),
    ec2('g5.xlarge', '9', { GPU: '1', Tenancy: 'Dedicated' }),
    ec2('g5.xlarge', '0.5', { GPU: '1', TermType: 'Reserved' }),
    ec2('g9x.xlarge', '2', { GPU: '1' }),
    ec2('m1.small', '0.04', { 'Current Generation': 'No' }),
    ec2('c9.large', '0.1'),
    ec2('c9.large', '0.2'),
  );
  const scene = (more: Readonly<Record<string, unknown>> = {}) => ({
    reader: aws,
    last: catalogue(G5),
    ask: answers({ region_index: AWS_INDEX, 'us-east-1/index.csv': list, ...more }),
  });

  it('has machines with Linux by the hour, with the GPUs of a known size of their family', async () => {
    const { ask, ...rest } = scene();
    const built = await build({ ...rest, ask });
    const source = aws.url;
    expect(linesOf(built.text)).toEqual([
      `aws,g5.12xlarge,us-east-1,5.672,,48,1192,4,A10G,24,nvidia,x86,,,,${TODAY},${source}`,
      // The spot price stays, since the public list has none.
      `aws,g5.xlarge,us-east-1,1.1,0.4,4,16,1,A10G,24,nvidia,x86,,,,${TODAY},${source}`,
      `aws,m8g.large,us-east-1,0.09,,4,16,0,,,,arm,,,,${TODAY},${source}`,
    ]);
    expect(reportOf(built, 'aws')?.notes).toEqual([
      'more than one price in us-east-1: c9.large',
      'families whose GPUs are not known, or are parts of one: g9x',
    ]);
    expect(ask.asked).toHaveLength(2);
  });

  it('is read of all regions if that is wanted, and never of local zones', async () => {
    const list = ec2List(ec2('g5.xlarge', '1.2', { GPU: '1', 'Region Code': 'eu-west-1' }));
    const asked = scene({ 'eu-west-1/index.csv': list });
    const built = await build({ ...asked, isEverywhere: true });
    expect(built.text).toContain('aws,g5.xlarge,eu-west-1,1.2,');
    expect(asked.ask.asked).toHaveLength(3);
  });

  it.each([
    ['another form', { 'us-east-1/index.csv': '"SKU","TermType"\n' }, 'has no column Unit'],
    ['nothing', { 'us-east-1/index.csv': '' }, 'the list of us-east-1 is empty'],
    ['an endless line', { 'us-east-1/index.csv': 'x'.repeat(70_000) }, 'a line that is too long'],
    [
      'an index that leads elsewhere',
      { region_index: { regions: { 'us-east-1': { currentVersionUrl: '//evil/index.json' } } } },
      'the index has no list of us-east-1',
    ],
  ])('with %s keeps the last rows, and reports why', async (_what, answer, why) => {
    const built = await build({ ...scene(), ask: answers({ region_index: AWS_INDEX, ...answer }) });
    expect(linesOf(built.text)).toEqual([G5]);
    expect(reportOf(built, 'aws')?.kept).toContain(why);
  });
});

describe('the retail prices of Azure', () => {
  const item = (price: number, more: object = {}) => ({
    ...{ currencyCode: 'USD', retailPrice: price, armRegionName: 'eastus', type: 'Consumption' },
    ...{ unitOfMeasure: '1 Hour', productName: 'Virtual Machines NCA100v4 Series' },
    ...{ meterName: 'NC24adsA100v4', skuName: 'NC24adsA100v4', ...more },
  });
  const last = catalogue(
    'azure,Standard_NC24ads_A100_v4,eastus;westeurope,3.673,1.47,24,220,1,A100,80,nvidia,x86,,,,2025,x',
  );

  it('are read page after page, of Linux on demand and as spot', async () => {
    const next = 'https://prices.azure.com:443/api/retail/prices?second';
    const ask = answers({
      second: {
        Items: [item(4, { armRegionName: 'westeurope' }), item(9, { armRegionName: 'usgovtexas' })],
        NextPageLink: null,
      },
      '/api/retail/prices?api': {
        Items: [
          item(3.5),
          item(1.2, { meterName: 'NC24adsA100v4 Spot', skuName: 'NC24adsA100v4 Spot' }),
          item(1.0, { meterName: 'NC24adsA100v4 Low Priority' }),
          item(7, { productName: 'Virtual Machines NCA100v4 Series Windows' }),
          item(3.9, { armRegionName: 'japaneast' }),
        ],
        NextPageLink: next,
      },
    });
    const built = await build({ reader: azure, last, ask });
    expect(linesOf(built.text)).toEqual([
      `azure,Standard_NC24ads_A100_v4,eastus,3.5,1.2,24,220,1,A100,80,nvidia,x86,,,,${TODAY},${azure.url}`,
      `azure,Standard_NC24ads_A100_v4,westeurope,4,1.47,24,220,1,A100,80,nvidia,x86,,,,${TODAY},${azure.url}`,
    ]);
  });

  it('that lead to another address are not believed', async () => {
    const page = { Items: [item(3.5)], NextPageLink: 'https://prices.example.com/' };
    const built = await build({ reader: azure, last, ask: answers({ prices: page }) });
    expect(built.text).toBe(last.replace(',A100,80', ',A100,80'));
    expect(reportOf(built, 'azure')?.kept).toContain('is at prices.example.com');
  });
});

describe('the cost estimator of Oracle', () => {
  const shape = (name: string, more: object = {}) => ({
    ...{ name, hidden: false, status: 'ACTIVE', bundleMemoryQty: 240, gpuQty: 1, gpuMemoryQty: 24 },
    ...{ processorType: { value: 'intel' }, shapeType: { value: 'vm' }, subType: { value: 'gpu' } },
    products: [{ type: { value: 'ocpu' }, partNumber: 'B1', qty: 15 }],
    ...more,
  });
  const product = (partNumber: string, value: number) => ({
    ...{ partNumber, billingModel: 'UCM', pricetype: 'HOUR' },
    currencyCodeLocalizations: [
      { currencyCode: 'EUR', prices: [{ model: 'PAY_AS_YOU_GO', value: 99 }] },
      { currencyCode: 'USD', prices: [{ model: 'PAY_AS_YOU_GO', value }] },
    ],
  });

  it('has fixed shapes, which cost the same everywhere', async () => {
    const ask = answers({
      'shapes.json': {
        items: [
          shape('VM.GPU.A10.1', { processorType: { value: 'arm' } }),
          shape('VM.GPU.A10.2', { gpuQty: 2, gpuMemoryQty: 48 }),
          shape('VM.Standard.A1.Flex', { subType: { value: 'flexible' }, gpuQty: 0 }),
          shape('BM.GPU.NEW.8', { shapeType: { value: 'bm' } }),
        ],
      },
      'products.json': { items: [product('B1', 2), product('B2', 3)] },
    });
    const last = catalogue(
      'oci,VM.GPU.A10.1,us-ashburn-1;us-phoenix-1,2,1,30,240,1,A10,24,nvidia,x86,,,,2025,x',
    );
    const built = await build({ reader: oci, last, ask });
    const end = `A10,24,nvidia,x86,,,,${TODAY},${oci.url}`;
    expect(linesOf(built.text)).toEqual([
      `oci,VM.GPU.A10.1,us-ashburn-1;us-phoenix-1,2,1,30,240,1,${end}`,
      `oci,VM.GPU.A10.2,us-ashburn-1;us-phoenix-1,4,,30,240,2,${end}`,
    ]);
    expect(reportOf(built, 'oci')?.notes).toEqual(['without a clear price: BM.GPU.NEW.8']);
  });
});

describe('the plans of Vultr', () => {
  it('have machines, parts of GPUs and whole servers', async () => {
    const plan = (id: string, type: string, more: object = {}) => ({
      ...{ id, type, vcpu_count: 12, ram: 122_880, disk: 1400, hourly_cost: 2.4 },
      ...{ locations: ['fra', 'ewr'], ...more },
    });
    const done = { meta: { links: { next: '' } } };
    const ask = answers({
      'type=all&per_page=500&cursor=two': { plans: [plan('vhp-4c', 'vhp')], ...done },
      'type=all': {
        plans: [plan('vc2-2c-4gb', 'vc2'), plan('dbaas', 'dbaas')],
        meta: { links: { next: 'two' } },
      },
      'type=vcg': {
        plans: [
          plan('vcg-a100-80', 'vcg', { gpu_type: 'NVIDIA_A100', gpu_vram_gb: 80 }),
          plan('vcg-a16-2', 'vcg', { gpu_type: 'NVIDIA_A16', gpu_vram_gb: 2 }),
          plan('vcg-x9', 'vcg', { gpu_type: 'NVIDIA_X9', gpu_vram_gb: 2 }),
        ],
        ...done,
      },
      'plans-metal': {
        plans_metal: [
          {
            ...{ id: 'vbm-112c-2048gb-8-h100-gpu', type: 'SSD', cpu_count: 112, cpu_threads: 224 },
            ...{ ram: 2_097_152, disk: 480, monthly_cost: 17_461.6, locations: ['ord'] },
          },
        ],
        ...done,
      },
    });
    const built = await build({ reader: vultr, last: catalogue(), ask });
    const end = `x86,1400,,,${TODAY},${vultr.url}`;
    expect(linesOf(built.text)).toEqual([
      `vultr,vbm-112c-2048gb-8-h100-gpu,ord,23.92,,224,2048,8,H100,80,nvidia,x86,480,,,${TODAY},${vultr.url}`,
      `vultr,vc2-2c-4gb,ewr;fra,2.4,,12,120,0,,,,${end}`,
      `vultr,vcg-a100-80,ewr;fra,2.4,,12,120,1,A100,80,nvidia,${end}`,
      `vultr,vcg-a16-2,ewr;fra,2.4,,12,120,1,A16,2,nvidia,${end}`,
      `vultr,vhp-4c,ewr;fra,2.4,,12,120,0,,,,${end}`,
    ]);
    expect(reportOf(built, 'vultr')?.notes).toEqual([
      'without a clear price, or with other GPUs: vcg-x9',
    ]);
  });
});

describe('a new catalogue', () => {
  /** A provider with twenty types, in one location. */
  const names = Array.from({ length: 20 }, (_, at) => `type-${10 + at}`);
  const row = (name: string, price: number) =>
    `somewhere,${name},here,${price},,4,16,0,,,,x86,,,"{""a"": 1}",2025,list`;
  const last = catalogue(
    ...names.map((name) => row(name, 1)),
    row('z', 1).replace('somewhere', 'other'),
  );
  const reader = (rows: readonly string[]): PriceReader => ({
    ...{ seller: 'somewhere', url: 'list' },
    read: async () => ({ rows: readRows(catalogue(...rows)), notes: [] }),
  });
  const built = async (rows: readonly string[], accepted: readonly string[] = []) =>
    await build({ reader: reader(rows), last, ask: answers({}), accepted });

  it('is read by servers, is the same for the same prices, and keeps their dates', async () => {
    const { text } = await built(names.toReversed().map((name) => row(name, 1)));
    expect(text).toBe((await built(names.map((name) => row(name, 1)))).text);
    expect(linesOf(text)).toEqual(linesOf(last).toSorted());
    expect(parseCatalog(text).get('somewhere')).toHaveLength(20);
  });

  it('has all that servers read of the last one, where nothing was read', async () => {
    const samples = readFileSync(SAMPLES, 'utf8');
    const { text } = await buildCatalogue({
      ...{ last: samples, readers: [], ask: answers({}), today: TODAY },
      ...{ accepted: [], isEverywhere: false },
    });
    const inOrder = (file: string) =>
      [...parseCatalog(file).values()]
        .flat()
        .map((item) => JSON.stringify(item))
        .sort();
    expect(inOrder(text)).toEqual(inOrder(samples));
  });

  it('has the rows of providers without a reader as they were', async () => {
    const { text, reports } = await built(names.map((name) => row(name, 1)));
    expect(text).toContain('other,z,here,1,');
    expect(reports.map(({ seller }) => seller)).toEqual(['other', 'somewhere']);
  });

  it('keeps the last rows of a provider whose list has lost most of them', async () => {
    const result = await built(names.slice(0, 9).map((name) => row(name, 2)));
    expect(linesOf(result.text)).toEqual(linesOf(last).toSorted());
    expect(reportOf(result, 'somewhere')?.kept).toBe(
      'its list has only 9 of the 20 types and locations that were known',
    );
  });

  it('keeps the last rows of a provider whose prices are in another unit', async () => {
    const result = await built(names.map((name) => row(name, 100)));
    expect(linesOf(result.text)).toEqual(linesOf(last).toSorted());
    expect(reportOf(result, 'somewhere')?.kept).toBe(
      '20 of 20 prices or sizes have changed by more than a factor of 3: type-10 in here $1 → $100, type-11 in here $1 → $100, type-12 in here $1 → $100 and 17 more',
    );
  });

  it('keeps a single price that cannot be true, and takes the others', async () => {
    const result = await built(names.map((name, at) => row(name, at === 0 ? 0.1 : 1.1)));
    const prices = readRows(result.text).map(({ price }) => price);
    expect(prices.filter((price) => price === 1.1)).toHaveLength(19);
    expect(result.text).toContain('somewhere,type-10,here,1,');
    expect(reportOf(result, 'somewhere')?.notes.join()).toContain('type-10 in here $1 → $0.1');
  });

  it.each([
    ['whose memory is in another unit', '4,16,0,,,', '4,16384,0,,,', '16 GB → 16384 GB'],
    ['that counts no GPUs any more', '4,16,8,A100,80,', '4,16,0,,,', '8 GPUs → 0 GPUs'],
    ['that has other processors', '4,16,0,,,', '64,16,0,,,', '4 processors → 64 processors'],
  ])('keeps the last rows of a provider %s', async (_what, before, after, text) => {
    const rowsWith = (sizes: string) =>
      names.map((name) => row(name, 1).replace('4,16,0,,,', sizes));
    const result = await build({
      ...{ reader: reader(rowsWith(after)), last: catalogue(...rowsWith(before)) },
      ask: answers({}),
    });
    expect(linesOf(result.text)).toEqual(rowsWith(before));
    expect(reportOf(result, 'somewhere')?.kept).toContain(`type-10 in here ${text}`);
  });

  it('takes what a person accepts', async () => {
    const result = await built(
      names.slice(0, 9).map((name) => row(name, 100)),
      ['somewhere'],
    );
    expect(readRows(result.text).filter(({ price }) => price === 100)).toHaveLength(9);
    expect(reportOf(result, 'somewhere')).toMatchObject({ rows: 9, kept: null });
  });

  it('leaves out what no machine can be or cost', async () => {
    const wrong = [
      ...[row('free', 0), row('dear', 100_000), row('none', 1).replace(',4,16,', ',0,16,')],
      row('gpus', 1).replace(',0,,,,', ',8,,80,,'),
    ];
    const result = await built([...names.map((name) => row(name, 1)), ...wrong]);
    expect(readRows(result.text)).toHaveLength(21);
    expect(reportOf(result, 'somewhere')?.notes).toEqual([
      '4 rows with impossible sizes or prices are left out',
    ]);
  });

  it('keeps the last rows of a provider that does not answer', async () => {
    const failing: PriceReader = {
      ...{ seller: 'somewhere', url: 'list' },
      read: async () => Promise.reject(new Error('connect ECONNREFUSED')),
    };
    const result = await build({ reader: failing, last, ask: answers({}) });
    expect(linesOf(result.text)).toEqual(linesOf(last).toSorted());
    expect(reportOf(result, 'somewhere')?.kept).toBe('connect ECONNREFUSED');
  });
});
