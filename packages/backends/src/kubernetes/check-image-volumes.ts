/** Whether a cluster can mount the image of the agent into pods. */
import type { CheckResult } from '../base/port.ts';
import type { Cluster } from './cluster.ts';

/** The first containerd that mounts images. */
const CONTAINERD = [2, 1] as const;

interface Nodes {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly status?: { readonly nodeInfo?: { readonly containerRuntimeVersion?: string } };
  }[];
}

interface CheckedPod {
  readonly spec: { readonly volumes?: readonly { readonly image?: object }[] };
}

export async function checkImageVolumes(cluster: Cluster): Promise<CheckResult> {
  const name = `${cluster.title}: nodes mount the image of the agent`;
  const cause = await imageVolumesRefusal(cluster);
  const problem =
    cause === null ? null : `${cause}: leave DSTACK_KUBERNETES_AGENT_VOLUME unset for this cluster`;
  return { name, ok: cause === null, problem };
}

/** Why it cannot; null = it can. */
export async function imageVolumesRefusal(cluster: Cluster): Promise<string | null> {
  return (await refusalOf(cluster)) ?? (await oldNode(cluster));
}

/** An API server without the feature drops the volume. */
async function refusalOf({ client, namespace }: Cluster): Promise<string | null> {
  const body = {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { generateName: 'dstack-check-' } },
    spec: {
      containers: [{ name: 'check', image: 'check' }],
      volumes: [{ name: 'programs', image: { reference: 'check', pullPolicy: 'IfNotPresent' } }],
    },
  };
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const query = { dryRun: 'All' };
  const { spec } = await client.call<CheckedPod>({ method: 'POST', path, query, body });
  const isKept = spec.volumes?.some((volume) => volume.image !== undefined);
  return isKept
    ? null
    : 'the API server has no image volumes (they come with Kubernetes 1.35, or by the feature gate ImageVolume)';
}

async function oldNode({ client }: Cluster): Promise<string | null> {
  const { items } = await client.call<Nodes>({ path: '/api/v1/nodes' });
  for (const { metadata, status } of items) {
    const version = status?.nodeInfo?.containerRuntimeVersion ?? '';
    const [, major, minor] = /^containerd:\/\/(\d+)\.(\d+)\./.exec(version) ?? [];
    if (major === undefined) continue;
    const isOld =
      Number(major) < CONTAINERD[0] ||
      (Number(major) === CONTAINERD[0] && Number(minor) < CONTAINERD[1]);
    if (isOld) return `node ${metadata.name} has ${version}, and images are mounted from 2.1 on`;
  }
  return null;
}
