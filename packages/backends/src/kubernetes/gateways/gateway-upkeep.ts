/** Keeps a running gateway complete: its shared objects, and pods with the programs of this server. */
import { createHash } from 'node:crypto';
import type { InstanceHandle } from '@dstack/core';
import type { GatewayCondition, GatewayOrder } from '../../base/gateway-port.ts';
import type { AgentPrograms } from '../../base/programs.ts';
import type { KubeObject, Pod } from '../api/objects.ts';
import type { Cluster } from '../cluster.ts';
import { tokenOf } from '../instances.ts';
import { keyOf } from '../labels.ts';
import type { AgentSource } from '../pod-agent.ts';
import { createOnce, setPath } from './cluster-objects.ts';
import { ingressPath } from './gateway-address.ts';
import {
  BUILD,
  gatewayIngress,
  gatewayName,
  gatewaySecret,
  podOfReplica,
  podTemplate,
  secretName,
  serviceKind,
  serviceOfGateway,
} from './gateway-objects.ts';

export interface Build {
  /** Hash of the template of the pod and of the programs in it. */
  readonly hash: string;
  /** When the server that made it had started, in milliseconds since the epoch. */
  readonly serverStart: number;
}

export interface UpkeepOptions {
  readonly agent: AgentSource;
  readonly programs: Pick<AgentPrograms, 'agent'>;
}

export interface MaintainOptions extends UpkeepOptions {
  /** The agents' tokens are derived from it. */
  readonly secret: string;
}

/** Null: this server has no programs for pods. */
export async function buildOf(
  order: Omit<GatewayOrder, 'key'>,
  { agent, programs }: UpkeepOptions,
): Promise<Build | null> {
  try {
    // Another version has another name.
    const content = 'image' in agent ? agent.image : (await programs.agent()).name;
    const template = podTemplate({ ...order, key: '' }, '', agent);
    const hash = createHash('sha256')
      .update(JSON.stringify([template, content]))
      .digest('hex');
    return { hash, serverStart: Math.round(performance.timeOrigin) };
  } catch {
    // A pod without them reports that by itself.
    return null;
  }
}

export async function maintainGateway(
  options: MaintainOptions,
  cluster: Cluster,
  { id }: InstanceHandle,
  order: Omit<GatewayOrder, 'key'>,
): Promise<GatewayCondition> {
  const [set, pod, build] = await Promise.all([
    cluster.client.find<KubeObject>({ path: setPath(cluster, id) }),
    cluster.client.find<Pod>({ path: cluster.path('pods', podOfReplica(id)) }),
    buildOf(order, options),
  ]);
  // Otherwise a replica that is ending would leave a Service behind.
  const isThere = set !== null && set.metadata.deletionTimestamp === undefined;
  const made = { ...order, key: set === null ? '' : (keyOf(set) ?? '') };
  if (isThere) await ensureShared(cluster, made);
  const isReady = pod?.status?.conditions?.some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  );
  if (isThere && pod !== null && !isReady && (await lacksSecret(cluster, pod))) {
    const token = tokenOf(options.secret, podOfReplica(id));
    await createOnce(cluster, cluster.path('secrets'), gatewaySecret({ order: made, token }, set));
  }
  return {
    outdated: isThere && build !== null && isOlder(set, build) ? OUTDATED : null,
    unreachable: isReady ? null : `pod ${podOfReplica(id)} is not ready for requests yet`,
  };
}

const OUTDATED = 'The server has another version of its program';

/** A person has deleted it. Servers may not read Secrets, so the node's report is what shows it. */
async function lacksSecret(cluster: Cluster, pod: Pod): Promise<boolean> {
  const missing = `secret "${secretName(pod.metadata.name.replace(/-0$/, ''))}" not found`;
  return (await cluster.eventsOf(pod)).some(({ message }) => message?.includes(missing));
}

/** A read costs less than a creation that is refused, for the cluster and in its audit log. */
async function ensureShared(cluster: Cluster, order: GatewayOrder): Promise<void> {
  const name = gatewayName(order);
  const { client } = cluster;
  const service = await client.find({ path: cluster.path('services', name) });
  if (service === null) {
    await createOnce(cluster, cluster.path('services'), serviceOfGateway(order));
  }
  if (serviceKind(order) !== 'Ingress') return;
  const ingress = await client.find({ path: ingressPath(cluster, name) });
  if (ingress === null) await createOnce(cluster, ingressPath(cluster), gatewayIngress(order));
}

/**
 * If two servers have different programs, the one that started later decides, so each of them replaces the
 * other's objects at most once.
 */
function isOlder(set: KubeObject, { hash, serverStart }: Build): boolean {
  const made = parsedBuild(set.metadata.annotations?.[BUILD]);
  return made === null || (made.hash !== hash && made.serverStart <= serverStart);
}

function parsedBuild(text: string | undefined): Build | null {
  try {
    const { hash, serverStart } = JSON.parse(text ?? '') as Partial<Build>;
    return { hash: String(hash), serverStart: Number(serverStart) };
  } catch {
    // Made by a server that did not write it, or edited by a person.
    return null;
  }
}
