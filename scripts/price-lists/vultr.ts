/** Vultr, from the plans of its public API. */
import { largestKnownGpu } from '../../packages/backends/src/base/known-gpus.ts';
import { type Fields, fieldsOf, listOf, numberOf, textOf } from './fields.ts';
import type { PriceRow } from './price-row.ts';
import { type Ask, entriesOf, type PriceReader } from './reader.ts';

const API = 'https://api.vultr.com/v2';
const PAGE = 500;
const MOST_PAGES = 20;
const HOURS_OF_MONTH = 730;
const MIB = 1024;
/** The beginnings of the types of plans for virtual machines. */
const TYPES = ['vc2', 'vhf', 'vhp', 'voc', 'vcg'];
const SOURCE = `${API}/plans`;

interface Plan {
  readonly rows: readonly PriceRow[];
  /** Its id, if its price or its GPUs are not known. */
  readonly unclear: string | null;
}

export const vultr: PriceReader = {
  seller: 'vultr',
  url: SOURCE,
  read: async ({ ask }) => {
    const plans = [
      ...(await pagesOf(ask, 'plans?type=all', 'plans')),
      ...(await pagesOf(ask, 'plans?type=vcg', 'plans')),
    ].filter(isOfMachine);
    const metal = await pagesOf(ask, 'plans-metal?', 'plans_metal');
    const read = [
      entriesOf(plans, 'plans', (entry) => planOf(fieldsOf(entry), machineOf)),
      entriesOf(metal, 'plans of whole servers', (entry) => planOf(fieldsOf(entry), serverOf)),
    ];
    const found = read.flatMap((one) => one.found);
    const unclear = new Set(found.flatMap((one) => one.unclear ?? []));
    return {
      rows: found.flatMap(({ rows }) => rows),
      notes: [
        ...read.flatMap(({ notes }) => notes),
        ...(unclear.size > 0
          ? [`without a clear price, or with other GPUs: ${[...unclear].sort().join(', ')}`]
          : []),
      ],
    };
  },
};

/** Others are clusters and disks. */
function isOfMachine(entry: unknown): boolean {
  const type = textOf(fieldsOf(entry), 'type') ?? '';
  return TYPES.some((known) => type.startsWith(known));
}

async function pagesOf(ask: Ask, path: string, list: string): Promise<unknown[]> {
  const entries: unknown[] = [];
  let cursor = '';
  for (let page = 0; page < MOST_PAGES; page++) {
    const url = `${API}/${path}&per_page=${PAGE}&cursor=${encodeURIComponent(cursor)}`;
    const answer = fieldsOf(await ask.json(url));
    entries.push(...listOf(answer, list, PAGE));
    cursor = textOf(fieldsOf(fieldsOf(answer?.meta)?.links), 'next') ?? '';
    if (cursor === '') return entries;
  }
  throw new Error(`${list} have more than ${MOST_PAGES} pages`);
}

type Sizes = Pick<
  PriceRow,
  'price' | 'cpus' | 'gpuCount' | 'gpuName' | 'gpuMemoryGb' | 'gpuVendor'
>;

/** Null: it has another form. */
function planOf(plan: Fields | null, sizesOf: (plan: Fields) => Sizes | null): Plan | null {
  const instanceName = textOf(plan, 'id');
  const memoryMib = numberOf(plan, 'ram');
  const locations = plan?.locations;
  if (plan === null || instanceName === null || memoryMib === null) return null;
  if (!Array.isArray(locations)) return null;
  const sizes = sizesOf(plan);
  if (sizes === null) return { rows: [], unclear: instanceName };
  const names = [...new Set(locations)].map((one) => textOf({ one }, 'one'));
  const row: Omit<PriceRow, 'location'> = {
    ...{ seller: 'vultr', instanceName, spotPrice: null, memoryGb: memoryMib / MIB, ...sizes },
    ...{ cpuArch: 'x86', diskGb: numberOf(plan, 'disk'), flags: '', moreData: '' },
    ...{ asOf: '', source: SOURCE },
  };
  const rows = names.flatMap((location) => (location ? [{ ...row, location }] : []));
  return { rows, unclear: null };
}

const NO_GPU = { gpuCount: 0, gpuName: null, gpuMemoryGb: 0, gpuVendor: null } as const;

/** A virtual machine. A part of a GPU counts as one with less memory. */
function machineOf(plan: Fields): Sizes | null {
  const [price, cpus] = [numberOf(plan, 'hourly_cost'), numberOf(plan, 'vcpu_count')];
  if (price === null || cpus === null) return null;
  const given = textOf(plan, 'gpu_type');
  if (given === null || given === '') return { price, cpus, ...NO_GPU };
  const gpu = knownGpu(given.slice(given.indexOf('_') + 1));
  const vram = numberOf(plan, 'gpu_vram_gb') ?? 0;
  if (gpu === null || vram === 0) return null;
  const gpuCount = Math.max(1, Math.floor(vram / (gpu.memory_mib / MIB)));
  const { name: gpuName, vendor: gpuVendor } = gpu;
  return { price, cpus, gpuCount, gpuName, gpuMemoryGb: vram / gpuCount, gpuVendor };
}

/** A whole server: `vbm-112c-2048gb-8-h100-gpu`. */
function serverOf(plan: Fields): Sizes | null {
  const monthly = numberOf(plan, 'monthly_cost');
  const price =
    numberOf(plan, 'hourly_cost') ?? (monthly === null ? null : monthly / HOURS_OF_MONTH);
  const cpus = numberOf(plan, 'cpu_threads') ?? numberOf(plan, 'cpu_count');
  if (price === null || cpus === null) return null;
  const parts = (textOf(plan, 'id') ?? '').split('-');
  if (!parts.includes('gpu')) return { price, cpus, ...NO_GPU };
  const gpu = knownGpu(parts.at(-2) ?? '');
  if (gpu === null) return null;
  // Without a number it is one.
  const gpuCount = Number(parts.at(-3)) || 1;
  const { name: gpuName, vendor: gpuVendor, memory_mib } = gpu;
  return { price, cpus, gpuCount, gpuName, gpuMemoryGb: memory_mib / MIB, gpuVendor };
}

const knownGpu = (name: string) => largestKnownGpu('nvidia', name) ?? largestKnownGpu('amd', name);
