import { describe, expect, it } from 'vitest';
import type { KubeNode } from './api/objects.ts';
import { nodeGpus } from './gpus.ts';

function node(labels: Record<string, string>, allocatable: Record<string, string>): KubeNode {
  return { metadata: { name: 'n', labels }, status: { allocatable } };
}

const nvidia = (product: string, more: Record<string, string> = {}, resource = 'nvidia.com/gpu') =>
  nodeGpus(node({ 'nvidia.com/gpu.product': product, ...more }, { [resource]: '8' }));

describe('the accelerators of a node', () => {
  it.each([
    ['NVIDIA-H100-80GB-HBM3', 'H100', 80],
    ['NVIDIA-A100-SXM4-40GB', 'A100', 40],
    ['NVIDIA-A100-SXM4-80GB', 'A100', 80],
    ['NVIDIA-GeForce-RTX-4090', 'RTX4090', 24],
    ['NVIDIA-H100-NVL', 'H100NVL', 94],
    ['NVIDIA-RTX-6000-Ada-Generation', 'RTX6000Ada', 48],
    ['Tesla-T4', 'T4', 16],
  ])('are known by the product %s', (product, name, gib) => {
    expect(nvidia(product)).toMatchObject({
      count: 8,
      gpu: { vendor: 'nvidia', name, memory_mib: gib * 1024 },
    });
  });

  it('have the memory that the label of the node has', () => {
    expect(nvidia('NVIDIA-L4', { 'nvidia.com/gpu.memory': '23034' })?.gpu.memory_mib).toBe(23_034);
  });

  it('have the memory of their largest variant if the node does not report it', () => {
    expect(nvidia('NVIDIA-A100-SXM4')?.gpu.memory_mib).toBe(80 * 1024);
    expect(nvidia('NVIDIA-GeForce-RTX-2060')?.gpu.memory_mib).toBe(12 * 1024);
    const amd = node({ 'beta.amd.com/gpu.device-id.738c': '1' }, { 'amd.com/gpu': '1' });
    expect(nodeGpus(amd)?.gpu).toEqual({ vendor: 'amd', name: 'MI100', memory_mib: 32 * 1024 });
  });

  it('share their memory with time slicing, and have that of their profile with MIG', () => {
    const sliced = { 'nvidia.com/gpu.replicas': '4', 'nvidia.com/gpu.memory': '16000' };
    expect(nvidia('Tesla-T4-SHARED', sliced)?.gpu.memory_mib).toBe(4000);
    const mig = nvidia('NVIDIA-A100-SXM4-80GB', {}, 'nvidia.com/mig-1g.10gb');
    expect(mig).toMatchObject({ resource: 'nvidia.com/mig-1g.10gb', gpu: { memory_mib: 10_240 } });
  });

  it('of other vendors are known by their labels and resources', () => {
    const amd = node({ 'beta.amd.com/gpu.device-id.74a1': '8' }, { 'amd.com/gpu': '8' });
    expect(nodeGpus(amd)?.gpu).toMatchObject({ vendor: 'amd', name: 'MI300X' });
    const gaudi = node({ 'habana.ai/gaudi.product': 'Gaudi3' }, { 'habana.ai/gaudi': '8' });
    expect(nodeGpus(gaudi)?.gpu).toMatchObject({ vendor: 'intel', name: 'Gaudi3' });
    const label = { 'cloud.google.com/gke-tpu-accelerator': 'tpu-v6e-slice' };
    const tpu = nodeGpus(node(label, { 'google.com/tpu': '4' }));
    expect(tpu).toMatchObject({ count: 1, units: 4, gpu: { name: 'v6e-4' } });
  });

  it('are none if the product is unknown, or there is none', () => {
    expect(nvidia('NVIDIA-FUTURE-1')).toBeNull();
    expect(nodeGpus(node({}, { cpu: '4', 'nvidia.com/gpu': '0' }))).toBeNull();
  });
});
