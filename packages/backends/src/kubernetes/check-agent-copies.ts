/** Reports how pods could start without a copy of the agent. No check fails, since the copy always works. */
import { errorMessage } from '@dstack/contract/error-message';
import type { CheckResult } from '../base/port.ts';
import { imageVolumesRefusal } from './check-image-volumes.ts';
import type { Cluster } from './cluster.ts';

/** For plans. */
export const COPIES_NOTE =
  'the server copies its agent into each pod, which takes longer than all else of its start; `dstack doctor` reports what avoids it';

/** On a test cluster of one computer. */
const FIGURES =
  'the server copies its agent into each pod, so that jobs run 1.4 s later than bare pods (2.2 instead of 0.8 s)';

const IMAGE =
  'push the image of `dstack server agent-image` to a registry of the cluster and set DSTACK_KUBERNETES_AGENT_IMAGE';

export async function checkAgentCopies(cluster: Cluster): Promise<CheckResult> {
  const name = `${cluster.title}: pods start without a copy of the agent`;
  // A policy for pods may refuse the one that is tried.
  const refusal = await imageVolumesRefusal(cluster).catch(errorMessage);
  const how =
    refusal === null
      ? `${IMAGE} and DSTACK_KUBERNETES_AGENT_VOLUME=1: the nodes mount it`
      : `${IMAGE}, or keep it on the nodes by deploy/kubernetes/agent-on-nodes.yaml and DSTACK_KUBERNETES_AGENT_CLAIM (they mount no images: ${refusal})`;
  return { name, ok: true, problem: `${cluster.title}: ${FIGURES}; to avoid that, ${how}` };
}
