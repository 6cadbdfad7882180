/** Claims for persistent volumes. A pod mounts them by name, so there is nothing to attach. */
import type { InstanceHandle, VolumeHandle, VolumeObservation } from '@dstack/core';
import { BackendError } from '../base/errors.ts';
import type { ListedVolume, VolumeOrder, VolumePort } from '../base/volume-port.ts';
import { ApiError, CONFLICT } from './api/client.ts';
import type { KubeList, VolumeClaim } from './api/objects.ts';
import { quantity } from './api/quantity.ts';
import type { Cluster } from './cluster.ts';
import { clusterIn } from './instances.ts';
import {
  annotationsOf,
  type Described,
  dstackMarkOf,
  isNamedBy,
  keyOf,
  labelsOf,
  objectName,
  ownerOf,
} from './labels.ts';
import { type AgentSource, isClaimOfAgent } from './pod-agent.ts';

const GIB = 2 ** 30;

export interface ClaimVolumesOptions {
  readonly clusters: readonly Cluster[];
  readonly agent: AgentSource;
}

export function claimVolumes({ clusters, agent }: ClaimVolumesOptions): VolumePort {
  const handleOf = ({ region }: Cluster, id: string): VolumeHandle => ({ id, region, data: null });
  const find = async (handle: Pick<VolumeHandle, 'id' | 'region'>) => {
    const cluster = clusterIn(clusters, handle.region);
    const path = cluster.path(KIND, handle.id);
    return { cluster, claim: await cluster.client.find<VolumeClaim>({ path }) };
  };
  return {
    async create(order) {
      const cluster = clusterIn(clusters, order.region);
      const body = claimOf(order);
      await createOnce(cluster, body, order.key);
      return handleOf(cluster, body.metadata.name);
    },
    async register(id, { region }) {
      const { cluster, claim } = await find({ id, region });
      if (!claim) throw new BackendError(`${placeOf(cluster)} has no claim ${id}`);
      const reserved = reservedText(claim, agent, placeOf(cluster));
      if (reserved !== null) throw new BackendError(reserved);
      return handleOf(cluster, id);
    },
    async observe(handle) {
      const { cluster, claim } = await find(handle);
      if (claim === null || isOfVolume(claim)) return observationOf(claim);
      // An administrator may have reserved it after it was registered.
      const text = reservedText(claim, agent, placeOf(cluster));
      return text === null ? observationOf(claim) : { state: 'failed', text };
    },
    async delete(handle) {
      const cluster = clusterIn(clusters, handle.region);
      const path = cluster.path(KIND, handle.id);
      // A claim that a pod still mounts is deleted with that pod.
      const deleted = await cluster.client.find({ method: 'DELETE', path });
      return deleted === null ? 'deleted' : 'deleting';
    },
    attach: async (_handle: VolumeHandle, _to: InstanceHandle) => ({
      state: 'attached',
      device: null,
    }),
    detach: async () => ({ state: 'detached' }),
    list: async ({ server }) =>
      (await Promise.all(clusters.map((cluster) => listClaims(cluster, server)))).flat(),
  };
}

const KIND = 'persistentvolumeclaims';

const placeOf = ({ namespace, title }: Cluster): string =>
  `namespace ${namespace} of cluster ${title}`;

/** Whether `create` made it. No claim that was registered has the name of an order. */
const isOfVolume = (claim: VolumeClaim): boolean => isNamedBy(claim.metadata.name, keyOf(claim));

/**
 * Why members of a project may not use the claim; null: they may, as any claim of the namespace. One that dstack made, for
 * another project or for a gateway, holds other people's files and keys; the agent runs from its own.
 */
function reservedText(claim: VolumeClaim, agent: AgentSource, place: string): string | null {
  const { name } = claim.metadata;
  if (isClaimOfAgent(agent, name)) {
    return `claim ${name} of ${place} holds the program of the agent (DSTACK_KUBERNETES_AGENT_CLAIM): name another claim`;
  }
  const mark = dstackMarkOf(claim);
  return mark === null
    ? null
    : `claim ${name} of ${place} belongs to dstack (${mark}): name another claim, or let an administrator of the cluster remove its labels and annotations of dstack to give it away`;
}

function claimOf(order: VolumeOrder) {
  const { key, owner, name: title, tags, sizeGib, claim } = order;
  const name = objectName([owner.project, title], key);
  const described: Described = {
    ...{ name, key, owner, title, tags },
    component: 'volume',
    user: null,
  };
  return {
    ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
    metadata: { name, labels: labelsOf(described), annotations: annotationsOf(described) },
    spec: {
      accessModes: claim?.accessModes ?? ['ReadWriteOnce'],
      ...(claim?.storageClass ? { storageClassName: claim.storageClass } : {}),
      resources: { requests: { storage: `${sizeGib ?? 0}Gi` } },
    },
  };
}

async function createOnce(
  cluster: Cluster,
  body: { readonly metadata: { readonly name: string } },
  key: string,
): Promise<void> {
  try {
    await cluster.client.call({ method: 'POST', path: cluster.path(KIND), body });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== CONFLICT) throw error;
    const { name } = body.metadata;
    const claim = await cluster.client.find<VolumeClaim>({ path: cluster.path(KIND, name) });
    if (claim && keyOf(claim) === key) return;
    throw new BackendError(`a claim ${name} that is not of this order exists`, { cause: error });
  }
}

/** A class that waits for the first consumer binds a claim only once a pod mounts it. */
function observationOf(claim: VolumeClaim | null): VolumeObservation {
  if (claim === null || claim.metadata.deletionTimestamp !== undefined) return { state: 'missing' };
  if (claim.status?.phase === 'Lost') {
    return { state: 'failed', text: `the volume of claim ${claim.metadata.name} was lost` };
  }
  const { requests } = claim.spec?.resources ?? {};
  const bytes = quantity(claim.status?.capacity?.storage ?? requests?.storage);
  return {
    ...{ state: 'ready', sizeGib: Math.round(bytes / GIB), usedGib: null, price: 0 },
    availabilityZone: null,
    // The cluster refuses a second node by the access mode, if it has to.
    shared: true,
  };
}

async function listClaims(cluster: Cluster, server: string): Promise<ListedVolume[]> {
  const query = { labelSelector: cluster.selector('volume', server) };
  const { items } = await cluster.client.call<KubeList<VolumeClaim>>({
    path: cluster.path(KIND),
    query,
  });
  return items.map((claim) => ({
    handle: { id: claim.metadata.name, region: cluster.region, data: null },
    owner: ownerOf(claim),
    key: keyOf(claim),
  }));
}
