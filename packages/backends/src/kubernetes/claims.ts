/** Claims on the tag of a server, as config maps of the namespaces: the cluster writes their time. */
import type { Claim } from '@dstack/core';
import type { OwnerTags } from '../base/owner-tags.ts';
import type { Claims } from '../base/port.ts';
import type { ConfigMap, KubeList } from './api/objects.ts';
import type { Cluster } from './cluster.ts';
import { claimLabels } from './labels.ts';

const KIND = 'configmaps';
const MICROS = 1000;

type Owner = Pick<OwnerTags, 'server'>;

/** A claim is kept in every cluster: one that does not answer leaves the others without a sweep. */
export function configMapClaims(clusters: readonly Cluster[]): Claims {
  return {
    read: async (owner) =>
      (await Promise.all(clusters.map((cluster) => claimsIn(cluster, owner)))).flat(),
    renew: async (owner, claim) => {
      await Promise.all(clusters.map((cluster) => renewIn(cluster, owner, claim)));
    },
  };
}

async function claimsIn(cluster: Cluster, owner: Owner): Promise<Claim[]> {
  return (await mapsIn(cluster, owner)).map(({ metadata, data }) => ({
    ...{ claimant: data?.claimant ?? '', nonce: data?.nonce ?? '' },
    renewedAt: Date.parse(metadata.creationTimestamp ?? '') * MICROS,
  }));
}

/** A new one first: at no moment is there none. */
async function renewIn(
  cluster: Cluster,
  { server }: Owner,
  { claimant, nonce }: Omit<Claim, 'renewedAt'>,
): Promise<void> {
  const before = await mapsIn(cluster, { server });
  await cluster.client.call({
    ...{ method: 'POST', path: cluster.path(KIND) },
    body: {
      ...{ apiVersion: 'v1', kind: 'ConfigMap', data: { claimant, nonce } },
      metadata: { generateName: 'dstack-claim-', labels: claimLabels(server) },
    },
  });
  const replaced = before.filter(({ data }) => data?.claimant === claimant);
  await Promise.all(
    replaced.map(({ metadata: { name } }) =>
      cluster.client.find({ method: 'DELETE', path: cluster.path(KIND, name) }),
    ),
  );
}

async function mapsIn(cluster: Cluster, { server }: Owner): Promise<readonly ConfigMap[]> {
  const query = { labelSelector: cluster.selector('claim', server) };
  const call = { path: cluster.path(KIND), query };
  return (await cluster.client.call<KubeList<ConfigMap>>(call)).items;
}
