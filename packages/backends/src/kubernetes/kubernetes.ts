/** Kubernetes clusters as a backend: their nodes are offers, and pods run the jobs. */
import { errorMessage } from '@dstack/contract/error-message';
import type { KubernetesBackendConfigWithCreds, Requirements } from '@dstack/contract/wire';
import { capabilitiesOf, type Offer } from '@dstack/core';
import { AgentTunnels } from '../base/agent-tunnels.ts';
import { CredentialsError, NoAnswerError } from '../base/errors.ts';
import type { OpenedBackend } from '../base/kind.ts';
import type { Backend, CheckResult } from '../base/port.ts';
import type { AgentPrograms } from '../base/programs.ts';
import { readKubeconfig } from './api/kubeconfig.ts';
import { checkCluster } from './check.ts';
import { COPIES_NOTE, checkAgentCopies } from './check-agent-copies.ts';
import { checkImageVolumes } from './check-image-volumes.ts';
import { configMapClaims } from './claims.ts';
import { Cluster } from './cluster.ts';
import { Deliveries } from './delivery.ts';
import { clusterGateways } from './gateways/gateways.ts';
import { podInstances } from './instances.ts';
import type { AgentSource } from './pod-agent.ts';
import { claimVolumes } from './volumes.ts';

export interface KubernetesOptions {
  readonly config: KubernetesBackendConfigWithCreds;
  readonly serverId: string;
  /** The agents' tokens are derived from it, so it must outlive the kubeconfig. */
  readonly secret: string;
  /** An image that brings the agent into pods; null = none. */
  readonly agentImage: string | null;
  /** Whether nodes mount that image, instead of starting a container of it. */
  readonly mountsAgentImage: boolean;
  /** A claim with the agent, in the namespace of the pods; null = none. It wins over the image. */
  readonly agentClaim: string | null;
  readonly programs: AgentPrograms;
  readonly matches: (requirements: Requirements, offer: Offer) => boolean;
  /** Seconds that a pod may wait for a node, and with an autoscaler at work. */
  readonly scheduleSeconds: number;
  readonly scaleUpSeconds: number;
}

const MS = 1000;
/** A cluster that does not answer must not delay the offers of the others. */
const OFFERS_MS = 5000;

/** Throws `CredentialsError` for a kubeconfig that cannot be used. */
export function openKubernetes(options: KubernetesOptions): OpenedBackend {
  const { secret, programs, scheduleSeconds, scaleUpSeconds } = options;
  const agent = sourceOf(options);
  const copies = agent.kind === 'copy';
  const clusters = clustersOf(options);
  const tunnels = new AgentTunnels();
  const deliveries = copies ? new Deliveries(programs) : null;
  const instances = podInstances({
    ...{ clusters, tunnels, agent, deliveries, secret },
    ...{ scheduleMs: scheduleSeconds * MS, scaleUpMs: scaleUpSeconds * MS },
  });
  const backend: Backend = {
    name: 'kubernetes',
    capabilities: capabilitiesOf('kubernetes'),
    signalsCapacity: false,
    offers: async (requirements) => {
      const answer = await offersOf(clusters, requirements);
      const isNoted = copies && answer.offers.length > 0;
      return isNoted ? { ...answer, notes: [...answer.notes, COPIES_NOTE] } : answer;
    },
    instances,
    volumes: claimVolumes({ clusters, agent }),
    groups: null,
    gateways: clusterGateways({ clusters, tunnels, agent, programs, deliveries, secret }),
    claims: configMapClaims(clusters),
    check: async () => (await Promise.all(clusters.map((one) => check(one, agent)))).flat(),
  };
  return {
    backend,
    close: () => {
      tunnels.close();
      for (const cluster of clusters) cluster.close();
    },
  };
}

function sourceOf({ agentClaim, agentImage, mountsAgentImage }: KubernetesOptions): AgentSource {
  if (agentClaim !== null) return { kind: 'claim', claim: agentClaim };
  if (agentImage === null) return { kind: 'copy' };
  return { kind: mountsAgentImage ? 'volume' : 'image', image: agentImage };
}

function clustersOf({ config, serverId, matches }: KubernetesOptions): Cluster[] {
  const file = readKubeconfig(config.kubeconfig.data);
  const rates = config.price ?? null;
  if (config.contexts === null) {
    if (file.current === null) throw new CredentialsError('the kubeconfig has no current-context');
    const access = file.context(file.current);
    const namespace = config.namespace ?? DEFAULT_NAMESPACE;
    return [new Cluster({ access, region: '', namespace, serverId, matches, rates })];
  }
  const names = config.contexts.map((one) => (typeof one === 'string' ? one : one.name));
  const twice = names.filter((name, at) => names.indexOf(name) !== at);
  if (twice.length > 0) throw new CredentialsError(`duplicate contexts: ${twice.join(', ')}`);
  return names.map((name) => {
    const access = file.context(name);
    const namespace = access.namespace ?? DEFAULT_NAMESPACE;
    return new Cluster({ access, region: name, namespace, serverId, matches, rates });
  });
}

const DEFAULT_NAMESPACE = 'default';

async function offersOf(clusters: readonly Cluster[], requirements: Requirements) {
  const answers = await Promise.all(clusters.map((one) => offersIn(one, requirements)));
  const failed = answers.flatMap(({ error }) => (error === null ? [] : [error]));
  if (failed.length > 0 && failed.length === clusters.length) throw failed[0];
  return {
    offers: answers.flatMap(({ offers }) => offers),
    notes: answers.flatMap(({ notes }) => notes),
    closed: answers.flatMap(({ closed }) => closed),
  };
}

async function offersIn(cluster: Cluster, requirements: Requirements) {
  const limit = Promise.withResolvers<never>();
  const late = setTimeout(
    () => limit.reject(new Error(`it did not answer within ${OFFERS_MS / MS} s`)),
    OFFERS_MS,
  );
  try {
    const answer = await Promise.race([cluster.offers(requirements), limit.promise]);
    const { staleBecause } = cluster;
    const stale = `offers of cluster ${cluster.title} may be out of date: ${errorMessage(staleBecause)}`;
    return { ...answer, notes: staleBecause === null ? [] : [stale], error: null };
  } catch (error) {
    const note = `cluster ${cluster.title} is left out: ${errorMessage(error)}`;
    return { offers: [], closed: [], notes: [note], error };
  } finally {
    clearTimeout(late);
  }
}

async function check(cluster: Cluster, agent: AgentSource): Promise<CheckResult[]> {
  try {
    const rights = await checkCluster(cluster, agent.kind === 'copy');
    if (agent.kind === 'volume') return [...rights, await checkImageVolumes(cluster)];
    return agent.kind === 'copy' ? [...rights, await checkAgentCopies(cluster)] : rights;
  } catch (error) {
    const name = `${cluster.title}: the API server answers`;
    const unanswered = error instanceof NoAnswerError;
    return [{ name, ok: false, problem: errorMessage(error), unanswered }];
  }
}
