/** How the requests of a service divide among its groups. */
import { routerGroup } from '../../run-spec/index.ts';
import type { RunPass } from '../run/run-pass.ts';
import { isReplicaAlive, replicasOf, takesRequests } from './replicas.ts';
import { scaledGroups } from './scaled-groups.ts';

/**
 * The part of all requests that a group answers, from 0 to 1. The proxy sends each one to the less
 * busy of two replicas, whatever their groups, so all replicas have about as many. A group that
 * scales and has none yet counts as one replica: otherwise it would never get its first one. Behind
 * a router each request may pass through every group, so each has all of them.
 */
export function trafficShare(pass: RunPass, group: string): number {
  const { spec } = pass.run;
  const { configuration } = spec;
  if (configuration.type !== 'service' || configuration.groups === null) return 1;
  if (routerGroup(configuration) !== null) return 1;
  const ready = replicasOf(pass.latest).filter((one) => isReplicaAlive(one) && takesRequests(one));
  const weights = new Map(scaledGroups(spec).map(({ name }) => [name, 1]));
  const counts = Map.groupBy(ready, (one) => one.group);
  for (const [name, replicas] of counts) weights.set(name, replicas.length);
  const all = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  return all === 0 ? 1 : (weights.get(group) ?? 0) / all;
}
