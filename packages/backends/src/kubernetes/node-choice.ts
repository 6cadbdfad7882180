/** Preferences for nodes. The scheduler of the cluster has the last word. */
import { GPU_NODE_LABELS } from './gpus.ts';
import { labelsOfRun } from './labels.ts';
import { GPU_LABEL, offerText } from './offers.ts';
import { describedBy, type PodOrder } from './pod-order.ts';

const HOST_LABEL = 'kubernetes.io/hostname';

/**
 * Any node with the accelerator of the offer will do. The scheduler scales the preferences for
 * nodes and those among pods to the same range: a suitable node gets half of the first and the node
 * of the offer gets all, so that a node without a pod of the run is better than the node of the
 * offer with one, and this in turn is better than taking a node with accelerators from others.
 */
export function affinityOf(pod: PodOrder): object {
  const { instance, backend_data } = pod.offer;
  const hasGpus = instance.resources.gpus.length > 0;
  const label = offerText(backend_data, GPU_LABEL);
  const at = label?.indexOf('=') ?? 0;
  const accelerator = { key: label?.slice(0, at), operator: 'In', values: [label?.slice(at + 1)] };
  const suitable = hasGpus
    ? [{ key: HOST_LABEL, operator: 'Exists' }]
    : GPU_NODE_LABELS.map((key) => ({ key, operator: 'DoesNotExist' }));
  const ofOffer = { key: 'metadata.name', operator: 'In', values: [instance.name] };
  return {
    nodeAffinity: {
      ...(hasGpus &&
        label !== null && {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [accelerator] }],
          },
        }),
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 100, preference: { matchExpressions: suitable } },
        { weight: 100, preference: { matchFields: [ofOffer] } },
      ],
    },
    podAntiAffinity: apartFrom(labelsOfRun(describedBy(pod))),
  };
}

/** A node that is lost should take as few pods with these labels with it as possible. */
export function apartFrom(matchLabels: Readonly<Record<string, string>>): object {
  const podAffinityTerm = { topologyKey: HOST_LABEL, labelSelector: { matchLabels } };
  return { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm }] };
}
