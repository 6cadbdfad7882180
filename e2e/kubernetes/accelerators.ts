import type { TestKubernetes } from '@dstack/testkit/kubernetes';
import { expect, it } from 'vitest';
import { isFinished, untilRun } from '../installation.ts';
import { waitFor } from '../until.ts';
import { podOf, RESOURCES, type SeenPod, task, untilRunning, type World } from './world.ts';

interface Kind {
  readonly run: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly resource: string;
  readonly count: number;
  /** The GPU as the run requests it, and as the offer names it. */
  readonly gpu: string;
  readonly offer: string;
  /** The quantity that the pod gets. */
  readonly gets: string;
}

const H100 = {
  'nvidia.com/gpu.product': 'NVIDIA-H100-80GB-HBM3',
  'nvidia.com/gpu.memory': '81559',
};

const KINDS: readonly Kind[] = [
  {
    ...{ run: 'amd', labels: { 'beta.amd.com/gpu.device-id.74a1': '4' } },
    ...{ resource: 'amd.com/gpu', count: 4, gpu: 'MI300X:2', offer: 'MI300X:192GB:2', gets: '2' },
  },
  {
    ...{ run: 'intel', labels: { 'habana.ai/gaudi.product': 'Gaudi3' } },
    ...{ resource: 'habana.ai/gaudi', count: 8, gpu: 'intel:Gaudi3:8' },
    ...{ offer: 'Gaudi3:128GB:8', gets: '8' },
  },
  {
    ...{ run: 'tpu', labels: { 'cloud.google.com/gke-tpu-accelerator': 'tpu-v5-lite-podslice' } },
    // All chips of a node are one accelerator.
    ...{
      resource: 'google.com/tpu',
      count: 4,
      gpu: 'v5litepod-4',
      offer: 'v5litepod-4',
      gets: '4',
    },
  },
  {
    ...{ run: 'slice', labels: H100, resource: 'nvidia.com/mig-1g.10gb', count: 7 },
    ...{ gpu: 'H100:10GB:3', offer: 'H100:10GB:3', gets: '3' },
  },
  {
    ...{ run: 'shared', resource: 'nvidia.com/gpu.shared', count: 4 },
    labels: { 'nvidia.com/gpu.product': 'Tesla-T4-SHARED', 'nvidia.com/gpu.replicas': '4' },
    ...{ gpu: 'T4:4GB:1', offer: 'T4:4GB:1', gets: '1' },
  },
];

export function acceleratorCases(world: () => World): void {
  it('are given accelerators of every vendor, slices of them, and shares', async () => {
    const { cluster, home } = world();
    for (const kind of KINDS) {
      await offering(cluster, kind, async () => {
        const gpu = ['--gpu', kind.gpu, '--disk', '1GB..', '--memory', '0.2GB..'];
        let offers = '';
        do offers = await home.ok('offer', '-b', 'kubernetes', ...gpu);
        while (!offers.includes(kind.offer));
        const resources = `${RESOURCES}, gpu: "${kind.gpu}"}\n`;
        await task(home, kind.run, ['echo "got $DSTACK_GPUS_NUM"; sleep 1000'], resources);
        const { spec } = await takenByNode(cluster, kind.run);
        expect(spec.nodeName).toBe(cluster.node(1));
        expect(spec.containers[0]?.resources.limits).toMatchObject({ [kind.resource]: kind.gets });
      });
    }
    for (const { run } of KINDS) await untilRunning(home, run);
    await home.ok('stop', ...KINDS.map(({ run }) => run), '--abort', '-y');
    for (const { run } of KINDS) await untilRun(home, run, isFinished);
    expect(await home.ok('logs', 'amd')).toContain('got 2');
  });
}

/** The kubelet has checked that the node has what the pod gets. */
async function takenByNode(cluster: TestKubernetes, run: string): Promise<SeenPod> {
  const isTaken = (pod: SeenPod) => pod.status?.startTime !== undefined;
  return await waitFor(
    () => podOf(cluster, run),
    isTaken,
    () => `no node has taken ${run}`,
  );
}

/** The node has these accelerators and no others until `use` has ended. */
async function offering(
  cluster: TestKubernetes,
  { labels, resource, count }: Kind,
  use: () => Promise<void>,
): Promise<void> {
  const nothing = Object.fromEntries(Object.keys(labels).map((name) => [name, null]));
  const set = async (to: Readonly<Record<string, string | null>>, amount: string | null) => {
    const status = { capacity: { [resource]: amount }, allocatable: { [resource]: amount } };
    const node = ['patch', 'node', cluster.node(1), '--type=merge', '-p'];
    await cluster.kubectl(...node, JSON.stringify({ metadata: { labels: to } }));
    await cluster.kubectl(...node, JSON.stringify({ status }), '--subresource=status');
  };
  await set(labels, String(count));
  try {
    await use();
  } finally {
    await set(nothing, null);
  }
}
