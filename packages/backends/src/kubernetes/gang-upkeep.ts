/** Names of nodes of a task while it runs: a person may have deleted the Service that makes them. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from './api/objects.ts';
import type { Cluster } from './cluster.ts';
import { restoredService } from './gang-names.ts';
import { createOnce } from './gateways/cluster-objects.ts';
import { isStarted } from './pod-state.ts';

/** A watch of Services would need more rights; without gangs a look costs nothing. */
const LOOK_MS = 15_000;

/** Returns the function that ends it. */
export function keepGangNames(cluster: Cluster): () => void {
  const end = new AbortController();
  const { signal } = end;
  const keep = async () => {
    while (!signal.aborted) {
      await delay(LOOK_MS, undefined, { signal, ref: false });
      // The cluster does not answer, or a right is missing: nodes reach each other by address too.
      await restoreGangNames(cluster).catch(() => {});
    }
  };
  // It rejects when it is ended.
  keep().catch(() => {});
  return () => end.abort();
}

/** One gang after the other, with one read for each. */
export async function restoreGangNames(
  cluster: Pick<Cluster, 'client' | 'path' | 'pods'>,
): Promise<void> {
  for (const [name, pods] of gangsOf(cluster.pods)) {
    if ((await cluster.client.find({ path: cluster.path('services', name) })) !== null) continue;
    await createOnce(cluster, cluster.path('services'), restoredService(name, pods));
  }
}

/** Pods that run, by the name of their Service. */
function gangsOf(pods: Iterable<Pod>): Map<string, Pod[]> {
  const gangs = new Map<string, Pod[]>();
  for (const pod of pods) {
    const name = pod.spec?.subdomain;
    const isRunning = isStarted(pod) && pod.metadata.deletionTimestamp === undefined;
    if (name === undefined || !isRunning) continue;
    gangs.set(name, [...(gangs.get(name) ?? []), pod]);
  }
  return gangs;
}
