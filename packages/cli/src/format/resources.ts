import type { Gpu, Resources, ResourcesSpec } from '@dstack/contract/wire';
import { gigabytes, range, sizeGb } from './values.ts';

/** An instance's resources: `cpu=x86:26 mem=192GB disk=512GB gpu=H100:80GB:1`. */
export function instanceResources(resources: Resources, options: { spot?: boolean } = {}): string {
  const parts: string[] = [];
  const arch = resources.cpu_arch ? `${resources.cpu_arch}:` : '';
  if (resources.cpus > 0) parts.push(`cpu=${arch}${resources.cpus}`);
  parts.push(`mem=${gigabytes(resources.memory_mib)}`);
  const disk = resources.disk?.size_mib ?? 0;
  if (disk > 0) parts.push(`disk=${gigabytes(disk)}`);
  const gpu = instanceGpu(resources.gpus);
  if (gpu !== null) parts.push(`gpu=${gpu}`);
  if (options.spot && resources.spot) parts.push('(spot)');
  return parts.join(' ');
}

/** `H100:80GB:1`; null if there is no GPU. */
export function instanceGpu(gpus: readonly Gpu[]): string | null {
  const first = gpus[0];
  if (first === undefined) return null;
  const memory = first.memory_mib > 0 ? `:${gigabytes(first.memory_mib)}` : '';
  return `${first.name}${memory}:${gpus.length}`;
}

/** The requested resources: `cpu=2.. mem=8GB.. disk=100GB.. gpu=H100:80GB:1`. */
export function requestedResources(spec: ResourcesSpec): string {
  const parts: string[] = [];
  const arch = spec.cpu.arch ? `${spec.cpu.arch}:` : '';
  parts.push(`cpu=${arch}${range(spec.cpu.count)}`);
  parts.push(`mem=${range(spec.memory, sizeGb)}`);
  if (spec.disk) parts.push(`disk=${range(spec.disk.size, sizeGb)}`);
  const gpu = requestedGpu(spec.gpu);
  if (gpu !== null) parts.push(`gpu=${gpu}`);
  return parts.join(' ');
}

/** The requested GPU, without `gpu=`; null if none is requested. */
export function requestedGpu(gpu: ResourcesSpec['gpu']): string | null {
  if (!gpu) return null;
  const { min, max } = gpu.count;
  const named = Boolean(gpu.name?.length || gpu.memory || gpu.total_memory);
  // "Any number of any GPU, including none" requests nothing.
  if (max === 0 || (!min && (max === null || max === undefined) && !named)) return null;
  const parts: string[] = [];
  if (gpu.name?.length) parts.push(gpu.name.join(','));
  else if (gpu.vendor) parts.push(gpu.vendor);
  else parts.push('gpu');
  if (gpu.memory) parts.push(range(gpu.memory, sizeGb));
  parts.push(range(gpu.count));
  if (gpu.total_memory) parts.push(range(gpu.total_memory, sizeGb));
  if (gpu.compute_capability) parts.push(gpu.compute_capability.join('.'));
  return parts.join(':').replace(/^gpu:/, '');
}
