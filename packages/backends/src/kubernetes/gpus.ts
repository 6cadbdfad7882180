/** The accelerators of a node, by the labels that the vendors' plugins set. */
import { KNOWN_GPU_NAMES } from '@dstack/contract';
import { type GpuModel, largestKnownGpu } from '../base/known-gpus.ts';
import type { KubeNode } from './api/objects.ts';
import { quantity } from './api/quantity.ts';

/** One kind of accelerator that a node gives to pods. */
export interface NodeGpus {
  /** The resource that pods request: `nvidia.com/gpu`, a profile of MIG, a shared GPU. */
  readonly resource: string;
  readonly count: number;
  /** How much of the resource makes one: pods get all chips of a TPU's node or none. */
  readonly units: number;
  readonly gpu: GpuModel;
  /** The label by which other nodes with the same accelerator are found; null = the resource is enough. */
  readonly label: { readonly key: string; readonly value: string } | null;
}

type Labels = Readonly<Record<string, string>>;

const MIB = 1024;
const NVIDIA = 'nvidia.com/gpu';

/** AMD's ids of devices. */
const AMD: Readonly<Record<string, string>> = {
  ...{ '738c': 'MI100', '740c': 'MI250X', '7408': 'MI250X', '740f': 'MI210', '74a0': 'MI300A' },
  ...{ '74a1': 'MI300X', '74b5': 'MI300X', '74a2': 'MI308X', '74a5': 'MI325X' },
  ...{ '75a0': 'MI350X', '75a3': 'MI355X' },
};
const AMD_LABEL = 'beta.amd.com/gpu.device-id.';

const TPU_RESOURCE = 'google.com/tpu';
const TPU_LABEL = 'cloud.google.com/gke-tpu-accelerator';
const TPU: Readonly<Record<string, readonly [name: string, gib: number]>> = {
  ...{ 'tpu-v4-podslice': ['v4', 32], 'tpu-v5-lite-podslice': ['v5litepod', 16] },
  ...{ 'tpu-v5-lite-device': ['v5litepod', 16], 'tpu-v5p-slice': ['v5p', 95] },
  ...{ 'tpu-v6e-slice': ['v6e', 32] },
};

/** A node without accelerators has none of them. */
export const GPU_NODE_LABELS: readonly string[] = [
  ...['nvidia.com/gpu.product', TPU_LABEL, 'habana.ai/gaudi.product'],
  ...Object.keys(AMD).map((id) => `${AMD_LABEL}${id}`),
];

/** A node has one kind; several, or an unknown one, count as none. */
export function nodeGpus(node: KubeNode): NodeGpus | null {
  const labels = node.metadata.labels ?? {};
  const allocatable = node.status?.allocatable ?? {};
  const counted = Object.entries(allocatable)
    .map(([resource, text]) => ({ resource, count: quantity(text) }))
    .filter(({ count }) => count >= 1);
  const found = counted.flatMap(({ resource, count }): NodeGpus[] => {
    const known = describe(resource, labels, count);
    if (known === null) return [];
    const units = resource === TPU_RESOURCE ? count : 1;
    return [{ ...{ resource, units, count: count / units }, ...known }];
  });
  return found.length === 1 ? (found[0] ?? null) : null;
}

/** Whether a resource is one of accelerators, known or not. */
export function isGpuResource(resource: string): boolean {
  return /^(nvidia\.com\/(gpu|mig-)|amd\.com\/gpu|habana\.ai\/|google\.com\/tpu|gpu\.intel\.com\/)/.test(
    resource,
  );
}

type Described = Pick<NodeGpus, 'gpu' | 'label'>;

function describe(resource: string, labels: Labels, count: number): Described | null {
  if (resource === NVIDIA || resource === `${NVIDIA}.shared`) return nvidia(labels);
  const [, profileGib] = /^nvidia\.com\/mig-\d{1,2}g\.(\d{1,4})gb/.exec(resource) ?? [];
  if (profileGib !== undefined) {
    const whole = nvidia(labels);
    return whole && { ...whole, gpu: { ...whole.gpu, memory_mib: Number(profileGib) * MIB } };
  }
  if (resource === 'amd.com/gpu') return amd(labels);
  if (resource === 'habana.ai/gaudi') return gaudi(labels);
  if (resource === TPU_RESOURCE) return tpu(labels, count);
  return null;
}

/** `NVIDIA-A100-SXM4-80GB`, `Tesla-T4-SHARED`, `NVIDIA-GeForce-RTX-4090`. */
function nvidia(labels: Labels): Described | null {
  const key = 'nvidia.com/gpu.product';
  const product = labels[key];
  if (!product) return null;
  const tokens = product
    .replace(/RTX-PRO-/i, 'RTXPRO')
    .replace(/RTX-/i, 'RTX')
    .replace(/RTX(\d{4})-Ada/i, 'RTX$1Ada')
    .replace(/(H\d00)-NVL/i, '$1NVL')
    .toLowerCase()
    .split(/[-_ ]/);
  const name = KNOWN_GPU_NAMES.nvidia.find((known) => tokens.includes(known.toLowerCase()));
  if (name === undefined) return null;
  const replicas = isShared(labels) ? Math.max(1, quantity(labels['nvidia.com/gpu.replicas'])) : 1;
  const labelled = quantity(labels['nvidia.com/gpu.memory']);
  const [, named] = /(\d{1,4})gb/i.exec(product) ?? [];
  const mib =
    labelled || Number(named ?? 0) * MIB || (largestKnownGpu('nvidia', name)?.memory_mib ?? 0);
  return {
    gpu: { vendor: 'nvidia', name, memory_mib: Math.floor(mib / replicas) },
    label: { key, value: product },
  };
}

/** Time slicing: several pods have the same GPU, and each counts as one. */
function isShared(labels: Labels): boolean {
  const { 'nvidia.com/gpu.sharing-strategy': strategy = 'none' } = labels;
  return strategy !== 'none' || (labels['nvidia.com/gpu.product'] ?? '').endsWith('-SHARED');
}

function amd(labels: Labels): Described | null {
  const keys = Object.keys(labels).filter((key) => key.startsWith(AMD_LABEL));
  const [key, ...more] = keys;
  if (key === undefined || more.length > 0) return null;
  const gpu = largestKnownGpu('amd', AMD[key.slice(AMD_LABEL.length).toLowerCase()] ?? '');
  return gpu && { gpu, label: { key, value: labels[key] ?? '' } };
}

function gaudi(labels: Labels): Described | null {
  const key = 'habana.ai/gaudi.product';
  const product = labels[key]?.toLowerCase() ?? 'gaudi2';
  const name = [...KNOWN_GPU_NAMES.intel]
    .reverse()
    .find((each) => product.includes(each.toLowerCase()));
  const gpu = largestKnownGpu('intel', name ?? '');
  return gpu && { gpu, label: labels[key] ? { key, value: labels[key] } : null };
}

/** Returns the name that dstack gives to TPUs: version and number of chips of the node. */
function tpu(labels: Labels, count: number): Described | null {
  const value = labels[TPU_LABEL] ?? '';
  const known = TPU[value];
  if (!known) return null;
  const [version, gib] = known;
  return {
    gpu: { vendor: 'google', name: `${version}-${count}`, memory_mib: gib * MIB },
    label: { key: TPU_LABEL, value },
  };
}
