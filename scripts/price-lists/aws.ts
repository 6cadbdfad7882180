/** EC2, from the public bulk price list: a file of some hundred megabytes for each region. */
import { csvRecords } from './csv-records.ts';
import { fieldsOf, isWord, textOf } from './fields.ts';
import type { PriceRow } from './price-row.ts';
import { type PriceReader, type ReaderInput, type Reading, wantsLocation } from './reader.ts';

const HOST = 'https://pricing.us-east-1.amazonaws.com';
const INDEX = `${HOST}/offers/v1.0/aws/AmazonEC2/current/region_index.json`;
/** Local zones, and regions that have accounts of their own, have longer names. */
const REGION = /^[a-z]{2}-[a-z]{4,9}-\d$/;
const PATH = /^\/offers\/v1\.0\/aws\/AmazonEC2\/[\w./-]{1,100}\/index\.json$/;
const GIB = / GiB$/;

/** Rows with the hourly price of a machine with Linux, without other software, have these values. */
const WANTED = {
  TermType: ['OnDemand'],
  Unit: ['Hrs'],
  Currency: ['USD'],
  'Location Type': ['AWS Region'],
  Tenancy: ['Shared'],
  'Operating System': ['Linux'],
  CapacityStatus: ['Used'],
  'Pre Installed S/W': ['', 'NA'],
  MarketOption: ['OnDemand'],
} as const;
const READ = [
  ...['Instance Type', 'Region Code', 'PricePerUnit', 'vCPU', 'Memory', 'GPU'],
  ...['Physical Processor', 'Current Generation'],
] as const;
type Column = keyof typeof WANTED | (typeof READ)[number];
/** Lines about the file itself stand before the names of the columns. */
const MOST_ABOUT = 20;

export const aws: PriceReader = {
  seller: 'aws',
  url: INDEX,
  read: async (input) => {
    const regions = await regionsOf(input);
    const types = new KnownTypes(input.known);
    const rows: PriceRow[] = [];
    const notes: string[] = [];
    for (const { region, url } of regions) {
      const reading = await readRegion(input, { region, url }, types);
      rows.push(...reading.rows);
      notes.push(...reading.notes);
    }
    return { rows, notes: [...notes, ...types.notes] };
  },
};

interface Region {
  readonly region: string;
  readonly url: string;
}

async function regionsOf(input: ReaderInput): Promise<Region[]> {
  const wants = wantsLocation(input);
  const index = fieldsOf(fieldsOf(await input.ask.json(INDEX))?.regions);
  if (index === null) throw new Error('the index has no regions');
  const regions = Object.keys(index).filter((region) => REGION.test(region) && wants(region));
  if (regions.length === 0) throw new Error('the index has none of the regions');
  return regions.sort().map((region) => {
    const path = textOf(fieldsOf(index[region]), 'currentVersionUrl') ?? '';
    if (!PATH.test(path)) throw new Error(`the index has no list of ${region}`);
    return { region, url: `${HOST}${path.slice(0, -'json'.length)}csv` };
  });
}

async function readRegion(
  { ask }: ReaderInput,
  { region, url }: Region,
  types: KnownTypes,
): Promise<Reading> {
  const found = new Map<string, PriceRow>();
  const unclear = new Set<string>();
  let columns: ReadonlyMap<Column, number> | null = null;
  let about = 0;
  for await (const record of csvRecords(ask.text(url))) {
    if (columns === null) {
      if (record.includes('SKU')) columns = columnsOf(record);
      else if (++about > MOST_ABOUT) throw new Error(`the list of ${region} has no columns`);
      continue;
    }
    const row = rowOf(record, columns, types);
    if (row === null || row.location !== region) continue;
    const other = found.get(row.instanceName);
    if (other !== undefined && other.price !== row.price) unclear.add(row.instanceName);
    found.set(row.instanceName, row);
  }
  if (columns === null) throw new Error(`the list of ${region} is empty`);
  const rows = [...found.values()].filter(({ instanceName }) => !unclear.has(instanceName));
  const names = [...unclear].sort().join(', ');
  const notes = unclear.size > 0 ? [`more than one price in ${region}: ${names}`] : [];
  return { rows, notes };
}

function columnsOf(header: readonly string[]): ReadonlyMap<Column, number> {
  const names = [...(Object.keys(WANTED) as (keyof typeof WANTED)[]), ...READ];
  return new Map(
    names.map((name): [Column, number] => {
      const at = header.indexOf(name);
      if (at === -1) throw new Error(`the list has no column ${name}`);
      return [name, at];
    }),
  );
}

/** Null: it is not the price of such a machine, or its GPUs are not known. */
function rowOf(
  record: readonly string[],
  columns: ReadonlyMap<Column, number>,
  types: KnownTypes,
): PriceRow | null {
  const cell = (column: Column): string => record[columns.get(column) ?? -1] ?? '';
  for (const [column, values] of Object.entries(WANTED)) {
    if (!(values as readonly string[]).includes(cell(column as Column))) return null;
  }
  const instanceName = cell('Instance Type');
  if (!isWord(instanceName)) return null;
  if (cell('Current Generation') !== 'Yes' && !types.isKnown(instanceName)) return null;
  const gpu = types.of(instanceName, cell('GPU'));
  if (gpu === null) return null;
  return {
    ...{ seller: 'aws', instanceName, location: cell('Region Code') },
    ...{ price: Number(cell('PricePerUnit')), spotPrice: null },
    cpus: Number(cell('vCPU')),
    memoryGb: Number(cell('Memory').replace(GIB, '').replaceAll(',', '')),
    ...gpu,
    cpuArch: cell('Physical Processor').includes('Graviton') ? 'arm' : 'x86',
    ...{ diskGb: null, flags: '', moreData: '', asOf: '', source: INDEX },
  };
}

type Gpu = Pick<PriceRow, 'gpuCount' | 'gpuName' | 'gpuMemoryGb' | 'gpuVendor'>;
const NO_GPU: Gpu = { gpuCount: 0, gpuName: null, gpuMemoryGb: 0, gpuVendor: null };

/** The types of the last catalogue. The list only counts GPUs: all sizes of a family have the model of a known one. */
class KnownTypes {
  readonly #byFamily: ReadonlyMap<string, PriceRow>;
  readonly #names: ReadonlySet<string>;
  readonly #unknown = new Set<string>();

  constructor(known: readonly PriceRow[]) {
    this.#names = new Set(known.map(({ instanceName }) => instanceName));
    const withGpus = known.filter(({ gpuCount }) => gpuCount > 0);
    this.#byFamily = new Map(withGpus.map((row) => [familyOf(row.instanceName), row]));
  }

  isKnown(instanceName: string): boolean {
    return this.#names.has(instanceName);
  }

  of(instanceName: string, counted: string): Gpu | null {
    const gpuCount = Number(counted === 'NA' ? 0 : counted);
    if (gpuCount === 0) return NO_GPU;
    const like = this.#byFamily.get(familyOf(instanceName));
    if (like === undefined || !Number.isInteger(gpuCount)) {
      this.#unknown.add(familyOf(instanceName));
      return null;
    }
    const { gpuName, gpuMemoryGb, gpuVendor } = like;
    return { gpuCount, gpuName, gpuMemoryGb, gpuVendor };
  }

  get notes(): string[] {
    const names = [...this.#unknown].sort().join(', ');
    return this.#unknown.size === 0
      ? []
      : [`families whose GPUs are not known, or are parts of one: ${names}`];
  }
}

const familyOf = (instanceName: string): string => instanceName.split('.')[0] ?? '';
