import type { CloudCatalog, VmType } from '../../capacity.ts';

/** Room on the machine of a host: the fields of a search's answer that clients read, or filter by. */
export interface ListedAsk {
  readonly id: number;
  readonly gpu_name: string;
  readonly num_gpus: number;
  readonly gpu_ram: number;
  readonly cpu_cores: number;
  readonly cpu_cores_effective: number;
  readonly cpu_ram: number;
  readonly cpu_arch: string;
  readonly disk_space: number;
  readonly dph_base: number;
  readonly min_bid: number;
  readonly storage_cost: number;
  readonly geolocation: string;
  readonly reliability2: number;
  readonly score: number;
  readonly verified: boolean;
  readonly datacenter: boolean;
  readonly inet_down: number;
  readonly cuda_max_good: number;
  readonly compute_cap: number;
  readonly direct_port_count: number;
}

const PLACES = ['California, US', 'Quebec, CA', 'Bavaria, DE', 'Iceland, IS'] as const;
/** Machines of each kind. */
const MACHINES = 12;

interface Kind {
  readonly gpu: string;
  readonly count: number;
  readonly ram: number;
  readonly price: number;
  readonly cap: number;
}

const KINDS: readonly Kind[] = [
  { gpu: 'RTX 4090', count: 1, ram: 24_564, price: 0.3, cap: 890 },
  { gpu: 'RTX 4090', count: 4, ram: 24_564, price: 1.2, cap: 890 },
  { gpu: 'RTX A5000', count: 1, ram: 24_564, price: 0.2, cap: 860 },
  { gpu: 'A100 SXM4', count: 8, ram: 81_920, price: 7.2, cap: 800 },
  { gpu: 'H100 SXM', count: 1, ram: 81_559, price: 1.9, cap: 900 },
  { gpu: 'RTX 4070S Ti', count: 2, ram: 16_376, price: 0.24, cap: 890 },
];

export const ASKS: readonly ListedAsk[] = [
  ...KINDS.flatMap((kind, index) =>
    Array.from({ length: MACHINES }, (_, number) => askOf(kind, index * 100 + number)),
  ),
  // Searches leave these out, or clients should.
  askOf(KINDS[0] as Kind, 900, { reliability2: 0.8, dph_base: 0.05 }),
  askOf(KINDS[0] as Kind, 901, { verified: false, dph_base: 0.04 }),
  askOf(KINDS[0] as Kind, 902, { gpu_name: 'Imaginary 9999', dph_base: 0.03 }),
  askOf(KINDS[0] as Kind, 903, { cpu_cores: 0, dph_base: 0.02 }),
];

function askOf(
  { gpu, count, ram, price, cap }: Kind,
  number: number,
  change: Partial<ListedAsk> = {},
): ListedAsk {
  const dph = Math.round(price * (1 + (number % 100) / 100) * 1000) / 1000;
  return {
    ...{ id: 7_000_000 + number, gpu_name: gpu, num_gpus: count },
    ...{ gpu_ram: ram, cpu_cores: 64, cpu_cores_effective: 8 * count, cpu_ram: 257_000 },
    ...{ cpu_arch: 'amd64', disk_space: 500.5, dph_base: dph, min_bid: dph / 2 },
    ...{ storage_cost: 0.144, geolocation: PLACES[number % PLACES.length] ?? '' },
    ...{ reliability2: 0.99, score: 100 + ((number * 7) % 50), verified: true },
    ...{ datacenter: number % 2 === 0, inet_down: 900, cuda_max_good: 12.9, compute_cap: cap },
    ...{ direct_port_count: 40 },
    ...change,
  };
}

export const askOfType = ({ name }: Pick<VmType, 'name'>): ListedAsk | undefined =>
  ASKS.find(({ id }) => String(id) === name);

/** Each is a type that the account may have once. */
export const VASTAI_CATALOG: CloudCatalog = {
  types: ASKS.map((ask) => ({
    ...{ name: String(ask.id), description: ask.gpu_name, diskGib: Math.floor(ask.disk_space) },
    ...{ vcpus: ask.cpu_cores_effective, memoryGib: Math.floor(ask.cpu_ram / 1000) },
    gpu: { name: ask.gpu_name, count: ask.num_gpus, memoryGib: Math.round(ask.gpu_ram / 1024) },
    ...{ pricePerHour: ask.dph_base, regions: [ask.geolocation] },
  })),
  images: [],
  regions: PLACES.map((name) => ({ name, description: name })),
};
