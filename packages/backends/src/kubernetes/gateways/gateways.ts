/** Gateways in clusters: a pod with nginx and the agent, which runs the program of the gateway. */
import { setTimeout as delay } from 'node:timers/promises';
import type { InstanceHandle } from '@dstack/core';
import type { AgentTunnels } from '../../base/agent-tunnels.ts';
import { BackendError, SkipOfferError } from '../../base/errors.ts';
import type { GatewayOrder, GatewayPort, ListedGateway } from '../../base/gateway-port.ts';
import type { Observation } from '../../base/instance-port.ts';
import type { AgentPrograms } from '../../base/programs.ts';
import { orderedProvisioningData } from '../../base/provisioning-data.ts';
import { ApiError, FORBIDDEN } from '../api/client.ts';
import type { KubeList, KubeObject, Pod } from '../api/objects.ts';
import type { Cluster } from '../cluster.ts';
import type { Deliveries } from '../delivery.ts';
import { clusterIn, tokenOf } from '../instances.ts';
import { GATEWAY_LABEL, instanceOf, keyOf, ownerOf } from '../labels.ts';
import type { AgentSource } from '../pod-agent.ts';
import { podState } from '../pod-state.ts';
import { podTunnel, tunnelKey } from '../tunnels.ts';
import { createOnce, setPath } from './cluster-objects.ts';
import { eventsAbout, type GatewayEntry, gatewayAddress, ingressPath } from './gateway-address.ts';
import {
  gatewayIngress,
  gatewayName,
  gatewaySecret,
  PLACE,
  podOfReplica,
  portsOf,
  replicaName,
  serviceKind,
  serviceOfGateway,
  settingsOf,
  stateClaim,
  statefulSet,
} from './gateway-objects.ts';
import { buildOf, maintainGateway } from './gateway-upkeep.ts';

export interface GatewaysOptions {
  readonly clusters: readonly Cluster[];
  readonly tunnels: AgentTunnels;
  readonly agent: AgentSource;
  readonly programs: Pick<AgentPrograms, 'agent'>;
  /** Null: the server copies nothing. */
  readonly deliveries: Deliveries | null;
  /** The agents' tokens are derived from it. */
  readonly secret: string;
}

/** The facts about a replica that its handle has beside the name of its StatefulSet. */
interface Place extends GatewayEntry {
  readonly region: string;
  readonly gatewayId: string;
  readonly ports: { readonly http: number; readonly https: number };
}

export function clusterGateways(options: GatewaysOptions): GatewayPort {
  const { clusters, tunnels } = options;
  return {
    ports: (handle) => placeOf(handle).ports,
    create: (order) => createGateway(options, order),
    observe: (handle) => observeGateway(options, handle),
    maintain: (handle, order) =>
      maintainGateway(options, clusterIn(clusters, placeOf(handle).region), handle, order),
    dial: async (handle, token) => {
      const cluster = clusterIn(clusters, placeOf(handle).region);
      return await tunnels.dial(podTunnel(cluster, podOfReplica(handle.id)), token);
    },
    release: (handle) => releaseGateway(options, handle),
    list: async ({ server }) =>
      (await Promise.all(clusters.map((cluster) => listGateways(cluster, server)))).flat(),
  };
}

async function createGateway(
  options: GatewaysOptions,
  order: GatewayOrder,
): Promise<InstanceHandle> {
  const cluster = clusterIn(options.clusters, order.region);
  const name = replicaName(order);
  const place: Place = {
    ...{ region: cluster.region, gatewayId: order.gateway.id, ports: portsOf(order) },
    ...{ kind: serviceKind(order), name: gatewayName(order) },
    address: settingsOf(order)?.address ?? null,
  };
  const handle = { id: name, data: JSON.stringify(place) };
  const objects = {
    ...{ order, namespace: cluster.namespace, agent: options.agent, place: handle.data },
    token: tokenOf(options.secret, podOfReplica(name)),
    build: await buildOf(order, options),
  };
  try {
    const set =
      (await createOnce(cluster, setPath(cluster), statefulSet(objects))) ??
      (await earlierSet(cluster, name, order.key));
    // The pod waits for them, and the cluster deletes those that the set owns along with it.
    await Promise.all([
      createOnce(cluster, cluster.path('secrets'), gatewaySecret(objects, set)),
      createOnce(cluster, cluster.path('persistentvolumeclaims'), stateClaim(objects, set)),
      createOnce(cluster, cluster.path('services'), serviceOfGateway(order)),
      ...(place.kind === 'Ingress'
        ? [createOnce(cluster, ingressPath(cluster), gatewayIngress(order))]
        : []),
    ]);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    await undo(options, handle);
    const isRight = error.status === FORBIDDEN && !/exceeded quota/.test(error.message);
    const more = isRight ? `: ${GRANT}` : '';
    throw new SkipOfferError(`${error.message}${more}`, { cause: error });
  }
  return handle;
}

const GRANT = 'gateways need the rights that deploy/kubernetes/server-rbac.yaml has for them';

/** The cluster has refused one of the objects. */
async function undo(options: GatewaysOptions, handle: InstanceHandle): Promise<void> {
  try {
    for (let attempt = 0; attempt < UNDO_TRIES; attempt++) {
      if ((await releaseGateway(options, handle)) === 'released') return;
      await delay(UNDO_PAUSE_MS * 2 ** attempt);
    }
  } catch {
    // The refusal explains more; the sweep finds what is left.
  }
}

/** Together 13 seconds; a node that does not answer keeps its pods for longer, and the sweep waits for it. */
const UNDO_TRIES = 6;
const UNDO_PAUSE_MS = 200;

async function earlierSet(cluster: Cluster, name: string, key: string): Promise<KubeObject> {
  const set = await cluster.client.find<KubeObject>({ path: setPath(cluster, name) });
  if (set && keyOf(set) === key) return set;
  throw new BackendError(
    `a StatefulSet ${name} that is not of this order is in namespace ${cluster.namespace}`,
  );
}

async function observeGateway(
  { clusters, deliveries, secret }: GatewaysOptions,
  handle: InstanceHandle,
): Promise<Observation> {
  const place = placeOf(handle);
  const cluster = clusterIn(clusters, place.region);
  const pod = podOfReplica(handle.id);
  const [set, found] = await Promise.all([
    cluster.client.find<KubeObject>({ path: setPath(cluster, handle.id) }),
    cluster.client.find<Pod>({ path: cluster.path('pods', pod) }),
  ]);
  if (set === null || set.metadata.deletionTimestamp !== undefined) return { state: 'missing' };
  if (found === null) return pending(await whyNoPod(cluster, handle.id));
  const state = await stateOf(cluster, found);
  if (state.state !== 'started') return state;
  const delivery = deliveries?.progress(cluster, pod, state.node, () => {});
  if (delivery?.kind === 'copying') return pending(delivery.text);
  if (delivery?.kind === 'failed') {
    deliveries?.forget(cluster, pod);
    return pending(delivery.error.message);
  }
  const address = await gatewayAddress(cluster, place);
  if ('pending' in address) return pending(address.pending);
  return {
    state: 'ready',
    machine: {
      ...{ offer: null, totalBlocks: null },
      provisioningData: orderedProvisioningData(
        {
          ...{ backend: 'kubernetes', instance: instanceOf(found), region: place.region, price: 0 },
          instance_runtime: 'runner',
        },
        handle.id,
        { hostname: address.address },
      ),
    },
    access: { kind: 'backend', token: tokenOf(secret, pod) },
  };
}

/** A quota, for example, refuses the pod and not the set. */
async function whyNoPod(cluster: Cluster, name: string): Promise<string> {
  const events = await eventsAbout(cluster, 'StatefulSet', name);
  const refusal = events.findLast(({ reason }) => reason === 'FailedCreate')?.message;
  const pod = podOfReplica(name);
  return refusal ? `pod ${pod} cannot be created: ${refusal}` : `pod ${pod} is being created`;
}

/** The set creates another pod for one that has ended, so only what a person must change is final. */
async function stateOf(cluster: Cluster, pod: Pod) {
  const { name, deletionTimestamp } = pod.metadata;
  if (deletionTimestamp !== undefined) return pending(`pod ${name} is being replaced`);
  const most = Number.POSITIVE_INFINITY;
  const forever = { scheduleMs: most, scaleUpMs: most, configMs: most };
  const state = podState({
    ...{ pod, now: cluster.client.clock.now(), ...forever },
    events: await cluster.eventsOf(pod),
  });
  if (state.state !== 'interrupted') return state;
  const isFinal = state.reason === 'failed' && pod.status?.phase === 'Pending';
  return isFinal ? state : pending(state.text);
}

async function releaseGateway(
  { clusters, tunnels, deliveries }: GatewaysOptions,
  handle: InstanceHandle,
): Promise<'released' | 'releasing'> {
  const place = placeOf(handle);
  const cluster = clusterIn(clusters, place.region);
  const pod = podOfReplica(handle.id);
  const { client } = cluster;
  // It exists until its pod has ended.
  const body = { propagationPolicy: 'Foreground' };
  if (await client.find({ method: 'DELETE', path: setPath(cluster, handle.id), body })) {
    return 'releasing';
  }
  tunnels.drop(tunnelKey(cluster, pod));
  deliveries?.forget(cluster, pod);
  const query = { labelSelector: `${GATEWAY_LABEL}=${place.gatewayId}` };
  const others = await client.call<KubeList<KubeObject>>({ path: setPath(cluster), query });
  if (others.items.length > 0) return 'released';
  const paths = [
    cluster.path('services', place.name),
    ...(place.kind === 'Ingress' ? [ingressPath(cluster, place.name)] : []),
  ];
  await Promise.all(paths.map((path) => client.find({ method: 'DELETE', path })));
  return 'released';
}

async function listGateways(cluster: Cluster, server: string): Promise<ListedGateway[]> {
  const query = { labelSelector: cluster.selector('gateway', server) };
  const call = { path: setPath(cluster), query };
  const { items } = await cluster.client.call<KubeList<KubeObject>>(call);
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map((set) => {
      const owner = ownerOf(set);
      const { name, annotations } = set.metadata;
      const handle = { id: name, data: annotations?.[PLACE] ?? null };
      return { handle, owner, region: null, key: keyOf(set) };
    });
}

function placeOf({ id, data }: InstanceHandle): Place {
  try {
    return JSON.parse(data ?? '') as Place;
  } catch (error) {
    throw new BackendError(`StatefulSet ${id} has lost its annotation ${PLACE}`, { cause: error });
  }
}

const pending = (text: string) => ({ state: 'pending' as const, text });
