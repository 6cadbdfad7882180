/** Compute groups: the nodes of a gang are one batch job, which begins and ends as a whole. */
import { SkipOfferError } from '../base/errors.ts';
import type { GroupPort } from '../base/group-port.ts';
import { type Clusters, clusterOf, jobsOf } from './clusters.ts';
import { handleOf, nodePlaceOf } from './handles.ts';
import { submitted } from './submission.ts';

export function slurmGroups(clusters: Clusters): GroupPort {
  return {
    create: async ({ kind, key, owner, offer, size, region, container, onPreparing }) => {
      const cluster = clusters.get(region);
      if (kind !== 'compute' || !offer || !cluster) {
        throw new SkipOfferError(`there is no cluster ${region} for a group`);
      }
      const order = {
        key,
        owner,
        container,
        nodes: size ?? 1,
        onPreparing,
      };
      const name = await submitted(cluster, order, offer);
      return handleOf({ name, rank: 0, cluster: region });
    },
    delete: async (handle) => {
      const place = nodePlaceOf(handle);
      return (await clusterOf(clusters, place).cancel(place.name)) ? 'deleted' : 'in-use';
    },
    list: async ({ server }) => {
      const found = await jobsOf(clusters.values(), server);
      return found.filter(({ owner }) => owner.instance === '');
    },
  };
}
