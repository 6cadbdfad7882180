/** Names for the nodes of a task: each reaches the others by the name of their job. */
import type { GangPlace } from '../base/instance-port.ts';
import type { Metadata, Pod } from './api/objects.ts';
import { annotationsOf, labelsOf, objectName, ownedBy } from './labels.ts';
import { describedBy, type PodOrder } from './pod-order.ts';

export const GANG_LABEL = 'k8s.dstack.ai/gang';

/** Name of the gang's service, and value of the label on its pods. */
export function gangName({ order, container }: PodOrder, { key }: GangPlace): string {
  return objectName([order.owner.project, container.runName], key);
}

/** `train-1-0` leads to the pod of that job in all pods of its gang. */
export function gangHostname(pod: PodOrder): object {
  const { gang, jobName } = pod.container;
  if (gang === null) return {};
  const subdomain = gangName(pod, gang);
  // The domain of a cluster is nearly always the default one; any other needs the longer name.
  const search = `${subdomain}.${pod.namespace}.svc.cluster.local`;
  return { hostname: jobName, subdomain, dnsConfig: { searches: [search] } };
}

/** One for a gang: the pod of rank 0 owns it. */
export function gangService(pod: PodOrder, made: Pod): object | null {
  const { gang } = pod.container;
  if (gang === null || gang.rank !== 0) return null;
  const name = gangName(pod, gang);
  const described = { ...describedBy(pod), name };
  return headless({
    ...{ name, labels: labelsOf(described), annotations: annotationsOf(described) },
    ownerReferences: ownedBy(made),
  });
}

/** Like the one that a person has deleted; its pods own it together. */
export function restoredService(name: string, pods: readonly Pod[]): object {
  const { labels, annotations } = pods[0]?.metadata ?? {};
  const { [GANG_LABEL]: _, ...own } = labels ?? {};
  return headless({
    ...{ name, labels: { ...own, 'app.kubernetes.io/instance': name }, annotations },
    ownerReferences: pods.flatMap(ownedBy),
  });
}

function headless(metadata: Partial<Metadata> & Pick<Metadata, 'name'>): object {
  return {
    ...{ apiVersion: 'v1', kind: 'Service', metadata },
    spec: {
      clusterIP: 'None',
      // Nodes look for each other while they start.
      publishNotReadyAddresses: true,
      selector: { [GANG_LABEL]: metadata.name },
    },
  };
}
