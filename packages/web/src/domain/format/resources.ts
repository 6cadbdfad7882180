import { mebibytes } from './quantities.ts';

interface MachineResources {
  readonly cpus: number;
  readonly memory_mib: number;
  readonly gpus: readonly { readonly name: string; readonly memory_mib: number }[];
  readonly spot: boolean;
  readonly disk: { readonly size_mib: number };
}

/** `8 × H100 80 GB`; an empty text without GPUs. */
export function gpuText({ gpus }: Pick<MachineResources, 'gpus'>): string {
  const kinds = new Map<string, number>();
  for (const { name, memory_mib } of gpus) {
    const kind = memory_mib > 0 ? `${name} ${mebibytes(memory_mib)}` : name;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return [...kinds].map(([kind, count]) => (count === 1 ? kind : `${count} × ${kind}`)).join(', ');
}

/** `2 CPU, 24 GB, 8 × H100 80 GB`; the disk only where it is known. */
export function resourcesText(resources: MachineResources): string {
  const { cpus, memory_mib, disk } = resources;
  return [
    `${cpus} CPU`,
    mebibytes(memory_mib),
    gpuText(resources),
    disk.size_mib > 0 ? `${mebibytes(disk.size_mib)} disk` : '',
  ]
    .filter(Boolean)
    .join(', ');
}

/** In the API the server's machine has the backend of SSH hosts. */
export function backendText(backend: string | null, region: string | null): string | null {
  if (backend !== 'remote') return backend?.replace('remote', 'ssh') ?? null;
  return region === 'local' ? 'local' : 'ssh';
}

/** `p5 on aws`; a name for both is written once. */
export function placedText(type: string | null, place: string): string {
  return type === null || type === place ? place : `${type} on ${place}`;
}

/** `p5`, or `3 × p5` where several are meant, or `3 instances` of different types. */
export function instancesText(count: number, type: string | null): string | null {
  if (type === null || count <= 1) return type;
  return type.includes(', ') ? `${count} instances` : `${count} × ${type}`;
}
