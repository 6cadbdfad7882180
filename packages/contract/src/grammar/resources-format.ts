import { formatCpu } from './cpu.ts';
import { formatGpu, type GpuParts } from './gpu.ts';
import { formatMebibytes, formatMemoryRange } from './memory.ts';
import { formatRange, type Range } from './range.ts';

/** The parts of a resource requirement that are shown. */
export interface ResourceParts {
  readonly cpu: { readonly arch: string | null; readonly count: Range };
  readonly memory: Range;
  readonly gpu: GpuParts | null;
  readonly disk: { readonly size: Range } | null;
}

/** A requirement as shown in tables: `cpu=2.. mem=8GB.. disk=100GB.. gpu=H100:80GB:1`. */
export function formatResources(resources: ResourceParts): string {
  const parts = [`cpu=${formatCpu(resources.cpu)}`, `mem=${formatMemoryRange(resources.memory)}`];
  if (resources.disk) parts.push(`disk=${formatMemoryRange(resources.disk.size)}`);
  const { gpu } = resources;
  if (gpu?.count && gpu.count.max !== 0) parts.push(`gpu=${formatGpu(gpu)}`);
  return parts.join(' ');
}

/** The resources of an instance or an offer; sizes in mebibytes, GPU memory too. */
export interface InstanceResources {
  readonly cpus: number;
  readonly cpu_arch?: string | null;
  readonly memory_mib: number;
  readonly disk?: { readonly size_mib: number } | null;
  readonly gpus: readonly { readonly name: string; readonly memory_mib: number }[];
}

/**
 * The resources of an instance as shown in tables: `cpu=x86:26 mem=192GB disk=512GB
 * gpu=H100:80GB:1`.
 */
export function formatInstanceResources(machine: InstanceResources): string {
  const parts: string[] = [];
  const arch = machine.cpu_arch ? `${machine.cpu_arch}:` : '';
  if (machine.cpus > 0) parts.push(`cpu=${arch}${machine.cpus}`);
  if (machine.memory_mib > 0) parts.push(`mem=${formatMebibytes(machine.memory_mib)}`);
  if (machine.disk && machine.disk.size_mib > 0) {
    parts.push(`disk=${formatMebibytes(machine.disk.size_mib)}`);
  }
  const gpu = formatInstanceGpus(machine.gpus);
  if (gpu !== '') parts.push(`gpu=${gpu}`);
  return parts.join(' ');
}

/** The GPUs of an instance: first name, memory of one, count: `H100:80GB:8`; empty without GPUs. */
export function formatInstanceGpus(gpus: InstanceResources['gpus']): string {
  const [first] = gpus;
  if (!first) return '';
  const memory = first.memory_mib > 0 ? [formatMebibytes(first.memory_mib)] : [];
  return [first.name, ...memory, formatRange({ min: gpus.length, max: gpus.length })].join(':');
}
