/** The clusters of a backend, by name. */
import { BackendError } from '../base/errors.ts';
import type { ListedInstance } from '../base/instance-port.ts';
import { commentFrom } from './batch.ts';
import type { SlurmCluster } from './cluster.ts';
import { handleOf, type NodePlace } from './handles.ts';
import { holdsNodes } from './job-state.ts';

export type Clusters = ReadonlyMap<string, SlurmCluster>;

/** Throws `BackendError` if the configuration has no such cluster any more. */
export function clusterOf(clusters: Clusters, { cluster }: Pick<NodePlace, 'cluster'>) {
  const found = clusters.get(cluster);
  if (found) return found;
  throw new BackendError(`cluster ${cluster} is no longer configured`);
}

/** The jobs of one owner in all clusters that have not ended. */
export async function jobsOf(
  clusters: Iterable<SlurmCluster>,
  server: string,
): Promise<readonly ListedInstance[]> {
  const all = await Promise.all(
    [...clusters].map(async ({ jobs, config: { name: cluster } }) => {
      const { jobs: queue } = await jobs.view();
      return [...queue.values()].filter(holdsNodes).flatMap(({ name, comment }) => {
        const known = commentFrom(comment);
        if (known?.owner.server !== server) return [];
        const { key, owner } = known;
        return [{ handle: handleOf({ name, rank: 0, cluster }), owner, key }];
      });
    }),
  );
  return all.flat();
}
