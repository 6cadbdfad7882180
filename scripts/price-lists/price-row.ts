/** Rows of a catalogue: one type of one provider in one location. */
import { parseCsv } from '../../packages/backends/src/catalog/csv.ts';

/** Sizes in GB, prices in USD per hour. */
export interface PriceRow {
  readonly seller: string;
  readonly instanceName: string;
  readonly location: string;
  /** Null: it is not sold on demand, or as spot, or the price is not known. */
  readonly price: number | null;
  readonly spotPrice: number | null;
  readonly cpus: number;
  readonly memoryGb: number;
  readonly gpuCount: number;
  readonly gpuName: string | null;
  readonly gpuMemoryGb: number;
  readonly gpuVendor: string | null;
  readonly cpuArch: 'x86' | 'arm';
  /** Null: disks are sold apart. */
  readonly diskGb: number | null;
  /** As the file has them: no reader makes them. */
  readonly flags: string;
  readonly moreData: string;
  /** When the row was last found to be different, `2026-12-01`; older rows of the product have a year. */
  readonly asOf: string;
  /** Where the price is from. */
  readonly source: string;
}

export const COLUMNS = [
  ...['provider', 'instance_name', 'locations', 'price', 'spot_price', 'cpu', 'memory'],
  ...['gpu_count', 'gpu_name', 'gpu_memory', 'gpu_vendor', 'cpu_arch', 'disk_size', 'flags'],
  ...['provider_data', 'as_of', 'source'],
] as const;

/** Within a provider. */
export const keyOf = ({ instanceName, location }: PriceRow): string =>
  `${instanceName}|${location}`;

/** The rows of a file, one for each location. Throws with the line if a number is none. */
export function readRows(text: string): PriceRow[] {
  return parseCsv(text).flatMap((fields, at) => {
    const number = (column: string): number | null => {
      const given = fields[column] ?? '';
      if (given === '') return null;
      const value = Number(given);
      if (!Number.isFinite(value)) throw new Error(`line ${at + 2}: ${column} is not a number`);
      return value;
    };
    const row = {
      seller: fields.provider ?? '',
      instanceName: fields.instance_name ?? '',
      price: number('price'),
      spotPrice: number('spot_price'),
      cpus: number('cpu') ?? 0,
      memoryGb: number('memory') ?? 0,
      gpuCount: number('gpu_count') ?? 0,
      gpuName: fields.gpu_name || null,
      gpuMemoryGb: number('gpu_memory') ?? 0,
      gpuVendor: fields.gpu_vendor || null,
      cpuArch: fields.cpu_arch === 'arm' ? ('arm' as const) : ('x86' as const),
      diskGb: number('disk_size'),
      flags: fields.flags ?? '',
      moreData: fields.provider_data ?? '',
      asOf: fields.as_of ?? '',
      source: fields.source ?? '',
    };
    const locations = (fields.locations ?? '').split(';').filter(Boolean);
    return locations.map((location) => ({ ...row, location }));
  });
}

/** The file of these rows: the same rows give the same bytes. Locations with equal cells are one line. */
export function writeRows(rows: readonly PriceRow[]): string {
  const lines = new Map<string, { readonly row: PriceRow; readonly locations: string[] }>();
  for (const row of rows) {
    const key = cellsOf(row, '').join('\0');
    const line = lines.get(key) ?? { row, locations: [] };
    line.locations.push(row.location);
    lines.set(key, line);
  }
  const written = [...lines.values()]
    .map(({ row, locations }) => cellsOf(row, [...new Set(locations)].sort().join(';')))
    .sort(byName);
  return [COLUMNS, ...written].map((cells) => `${cells.map(quoted).join(',')}\n`).join('');
}

function cellsOf(row: PriceRow, locations: string): string[] {
  const { seller, instanceName, price, spotPrice, cpus, memoryGb, gpuCount, gpuName } = row;
  const { gpuMemoryGb, gpuVendor, cpuArch, diskGb, flags, moreData, asOf, source } = row;
  const hasGpus = gpuCount > 0;
  return [
    ...[seller, instanceName, locations, numberText(price), numberText(spotPrice)],
    ...[numberText(cpus), numberText(memoryGb), numberText(gpuCount)],
    ...[gpuName ?? '', hasGpus ? numberText(gpuMemoryGb) : '', gpuVendor ?? ''],
    ...[cpuArch, numberText(diskGb), flags, moreData, asOf, source],
  ];
}

const DIGITS = 6;

const numberText = (value: number | null): string =>
  value === null ? '' : String(Number(value.toFixed(DIGITS)));

const [PROVIDER, NAME, LOCATIONS] = [0, 1, 2];

function byName(a: readonly string[], b: readonly string[]): number {
  for (const column of [PROVIDER, NAME, LOCATIONS]) {
    const [left = '', right = ''] = [a[column], b[column]];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

const quoted = (cell: string): string =>
  ['"', ',', '\n', '\r'].some((char) => cell.includes(char))
    ? `"${cell.replaceAll('"', '""')}"`
    : cell;
