import { readFileSync } from 'node:fs';
import type { BackendType } from '@dstack/contract/wire';
import { parseCsv } from './csv.ts';

/** One instance type of a provider in one location, on demand or spot. Sizes in GB, USD per hour. */
export interface CatalogItem {
  readonly provider: string;
  readonly instanceName: string;
  readonly location: string;
  readonly price: number;
  readonly spot: boolean;
  readonly cpus: number;
  readonly memoryGb: number;
  readonly gpuCount: number;
  readonly gpuName: string | null;
  readonly gpuMemoryGb: number;
  readonly gpuVendor: string | null;
  readonly cpuArch: 'x86' | 'arm';
  /** Null = the provider does not publish it. */
  readonly diskGb: number | null;
  readonly flags: readonly string[];
  readonly providerData: Readonly<Record<string, unknown>>;
}

/** Flags whose items this server supports; an item with any other flag is hidden. */
const KNOWN_FLAGS: ReadonlySet<string> = new Set([
  'oci-spot',
  'lambda-arm',
  'gcp-a4',
  'gcp-g4',
  'gcp-dws-calendar-mode',
  'runpod-cpu',
  'runpod-cluster',
  'hotaisle-bm',
]);

/** The name under which a backend's prices are listed, if it is not the backend's own. */
const PROVIDER_OF: Partial<Record<BackendType, string>> = {
  datacrunch: 'verda',
  lambda: 'lambdalabs',
  amddevcloud: 'digitalocean',
};

export type Catalog = ReadonlyMap<string, readonly CatalogItem[]>;

/** Reads a catalogue file. Throws with the line number if a row is invalid. */
export function loadCatalog(path: string | URL): Catalog {
  return parseCatalog(readFileSync(path, 'utf8'));
}

export function parseCatalog(text: string): Catalog {
  const byProvider = new Map<string, CatalogItem[]>();
  for (const [index, row] of parseCsv(text).entries()) {
    for (const item of itemsOf(row, index + 2)) {
      const list = byProvider.get(item.provider);
      if (list) list.push(item);
      else byProvider.set(item.provider, [item]);
    }
  }
  return byProvider;
}

export function catalogItems(catalog: Catalog, backend: BackendType): readonly CatalogItem[] {
  return catalog.get(PROVIDER_OF[backend] ?? backend) ?? catalog.get(backend) ?? [];
}

/** A row contains one location, on demand and (if it has such a price) as spot. */
function itemsOf(row: Readonly<Record<string, string>>, line: number): CatalogItem[] {
  const flags = (row.flags ?? '').split(' ').filter(Boolean);
  if (flags.some((flag) => !KNOWN_FLAGS.has(flag))) return [];
  const number = (column: string): number => {
    const value = Number(row[column] || 0);
    if (Number.isNaN(value)) throw new Error(`catalogue line ${line}: ${column} is not a number`);
    return value;
  };
  const base = {
    provider: row.provider ?? '',
    instanceName: row.instance_name ?? '',
    cpus: number('cpu'),
    memoryGb: number('memory'),
    gpuCount: number('gpu_count'),
    gpuName: row.gpu_name || null,
    gpuMemoryGb: number('gpu_memory'),
    gpuVendor: row.gpu_vendor || null,
    cpuArch: row.cpu_arch === 'arm' ? ('arm' as const) : ('x86' as const),
    diskGb: row.disk_size ? number('disk_size') : null,
    flags,
    providerData: row.provider_data ? JSON.parse(row.provider_data) : {},
  };
  const prices: { price: number; spot: boolean }[] = [];
  if (row.price) prices.push({ price: number('price'), spot: false });
  if (row.spot_price) prices.push({ price: number('spot_price'), spot: true });
  return (row.locations ?? '')
    .split(';')
    .filter(Boolean)
    .flatMap((location) => prices.map((price) => ({ ...base, ...price, location })));
}
