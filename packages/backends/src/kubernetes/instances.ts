/** Pods as instances: each runs one job, and the agent beside it in the same container. */
import { createHmac } from 'node:crypto';
import { splitImageName } from '@dstack/contract/image-name';
import type { InstanceHandle, Offer } from '@dstack/core';
import type { AgentTunnels } from '../base/agent-tunnels.ts';
import {
  BackendError,
  NoCapacityError,
  RefusedOrderError,
  SkipOfferError,
} from '../base/errors.ts';
import type {
  ContainerOrder,
  CreatedInstance,
  InstanceOrder,
  InstancePort,
  ListedInstance,
  Observation,
} from '../base/instance-port.ts';
import { orderedProvisioningData } from '../base/provisioning-data.ts';
import { ApiError, CONFLICT, FORBIDDEN, NOT_FOUND } from './api/client.ts';
import type { KubeList, Metadata, Pod } from './api/objects.ts';
import type { Cluster } from './cluster.ts';
import type { Deliveries } from './delivery.ts';
import { gangService } from './gang-names.ts';
import { keepGangNames } from './gang-upkeep.ts';
import {
  annotationsOf,
  instanceOf,
  isNamedBy,
  keyOf,
  labelsOf,
  ownedBy,
  ownerOf,
} from './labels.ts';
import { type AgentSource, TOKEN_KEY } from './pod-agent.ts';
import { describedBy, type PodOrder, podName, pullSecretName, secretName } from './pod-order.ts';
import { dockerConfig, podOf } from './pod-spec.ts';
import { isStarted, podState } from './pod-state.ts';
import { refusedSetting } from './refusals.ts';
import { jobTunnel, tunnelKey } from './tunnels.ts';

export interface InstancesOptions {
  readonly clusters: readonly Cluster[];
  readonly tunnels: AgentTunnels;
  readonly agent: AgentSource;
  /** Null: the server copies nothing. */
  readonly deliveries: Deliveries | null;
  /** The agents' tokens are derived from it. */
  readonly secret: string;
  readonly scheduleMs: number;
  readonly scaleUpMs: number;
}

const BAD_REQUEST = 400;
const INVALID = 422;
/** An agent without a job ends at once; one with a job stops it, for this time at most. */
const GRACE_S = 30;

export function podInstances(options: InstancesOptions): InstancePort {
  const { clusters } = options;
  const changed = new Set<(handleId: string) => void>();
  const report = (handleId: string) => {
    for (const onChange of changed) onChange(handleId);
  };
  return {
    create: (order) => createPod(options, order),
    observe: (handle) => observePod(options, handle, report),
    watch: (onChange) => {
      changed.add(onChange);
      const ends = clusters.flatMap((one) => [one.watch(onChange), keepGangNames(one)]);
      return () => {
        changed.delete(onChange);
        for (const end of ends) end();
      };
    },
    dial: async (handle, token) => {
      const tunnel = jobTunnel(clusterOf(clusters, handle), handle.id);
      return await options.tunnels.dial(tunnel, token);
    },
    release: (handle) => releasePod(options, handle),
    list: async ({ server }) =>
      (await Promise.all(clusters.map((cluster) => listPods(cluster, server)))).flat(),
    leaseEnding: 'exit',
  };
}

async function createPod(
  options: InstancesOptions,
  order: InstanceOrder,
): Promise<CreatedInstance> {
  const { offer, container = null } = order;
  if (offer === null || container === null) throw new SkipOfferError('a pod needs a job to run');
  const cluster = clusterIn(options.clusters, offer.region);
  const { agent } = options;
  const pod: PodOrder = { order, container, offer, namespace: cluster.namespace, agent };
  const name = podName(order, container);
  const token = tokenOf(options.secret, name);
  const secrets = [
    secretOf(pod, secretName(name), { [TOKEN_KEY]: token }, 'Opaque'),
    ...pullSecrets(pod, container),
  ];
  // Before the pod, which otherwise waits for them in growing steps.
  for (const secret of secrets) await createOnce(cluster, 'secrets', secret);
  try {
    const made =
      (await createOnce<Pod>(cluster, 'pods', podOf(pod))) ??
      (await earlierPod(cluster, name, order.key));
    // An earlier attempt may have ended in between.
    await Promise.all([own(cluster, made, secrets), nameGang(cluster, pod, made)]);
  } catch (error) {
    if (isRefusal(error)) await removeSecrets(cluster, name);
    throw refusal(error, container);
  }
  return {
    handle: handleOf(cluster, name),
    hostId: order.instanceId,
    provisioningData: orderedProvisioningData(offer, name, DIRECT),
  };
}

/** Clients reach the job's own SSH server, by the entry of the server alone. */
const DIRECT = { dockerized: false, entry_only: true } as const;

function handleOf({ region }: Cluster, name: string): InstanceHandle {
  return { id: name, data: JSON.stringify({ region }) };
}

function clusterOf(clusters: readonly Cluster[], { data }: InstanceHandle): Cluster {
  const { region = '' } = JSON.parse(data ?? '{}') as { readonly region?: string };
  return clusterIn(clusters, region);
}

/** `-`: how dstack 0.22.5 writes the region of a backend without contexts. */
export function clusterIn(clusters: readonly Cluster[], region: string): Cluster {
  const found = clusters.find((one) => one.region === (region === '-' ? '' : region));
  if (found) return found;
  const names = clusters.map((one) => one.region).filter((name) => name !== '');
  const has =
    names.length > 0
      ? `its contexts are ${names.join(', ')}`
      : "it has no `contexts`, so its only region is '-'";
  throw new BackendError(`the backend has no context ${region || '(current)'}: ${has}`);
}

export function tokenOf(secret: string, pod: string): string {
  return createHmac('sha256', secret).update(pod).digest('hex');
}

function secretOf(
  pod: PodOrder,
  name: string,
  stringData: Readonly<Record<string, string>>,
  type: string,
): Secret {
  const described = { ...describedBy(pod), name };
  return {
    ...{ apiVersion: 'v1', kind: 'Secret', type, stringData },
    metadata: { name, labels: labelsOf(described), annotations: annotationsOf(described) },
  };
}

interface Secret {
  readonly metadata: Metadata;
  readonly [field: string]: unknown;
}

function pullSecrets(pod: PodOrder, { image, registryAuth }: ContainerOrder): Secret[] {
  if (registryAuth === null) return [];
  const { registryHost } = splitImageName(image);
  const config = { '.dockerconfigjson': dockerConfig(registryHost, registryAuth) };
  const name = pullSecretName(podName(pod.order, pod.container));
  return [secretOf(pod, name, config, 'kubernetes.io/dockerconfigjson')];
}

/** Null: an earlier attempt has created it. */
async function createOnce<T>(cluster: Cluster, kind: string, body: object): Promise<T | null> {
  try {
    return await cluster.client.call<T>({ method: 'POST', path: cluster.path(kind), body });
  } catch (error) {
    if (error instanceof ApiError && error.status === CONFLICT) return null;
    throw error;
  }
}

async function earlierPod(cluster: Cluster, name: string, key: string): Promise<Pod> {
  const pod = await cluster.client.find<Pod>({ path: cluster.path('pods', name) });
  if (pod && keyOf(pod) === key) return pod;
  const text = `a pod ${name} that is not of this order is in namespace ${cluster.namespace}`;
  throw new BackendError(text);
}

/** The cluster deletes them with their pod, even if a person deletes it. */
async function own(cluster: Cluster, pod: Pod, secrets: readonly Secret[]): Promise<void> {
  const ownerReferences = ownedBy(pod);
  await Promise.all(
    secrets.map(({ metadata }) =>
      cluster.client.find({
        method: 'PATCH',
        path: cluster.path('secrets', metadata.name),
        body: { metadata: { ownerReferences } },
      }),
    ),
  );
}

/** The nodes of a task reach each other by their addresses too, so a missing right is no failure. */
async function nameGang(cluster: Cluster, order: PodOrder, pod: Pod): Promise<void> {
  const service = gangService(order, pod);
  if (service === null) return;
  try {
    await createOnce(cluster, 'services', service);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== FORBIDDEN) throw error;
  }
}

function isRefusal(error: unknown): boolean {
  if (error instanceof NoCapacityError) return true;
  return (
    error instanceof ApiError && [BAD_REQUEST, FORBIDDEN, NOT_FOUND, INVALID].includes(error.status)
  );
}

/** Nothing was created: the API has refused the pod itself, whatever its node is. */
function refusal(error: unknown, { settings }: ContainerOrder): unknown {
  if (!(error instanceof ApiError) || !isRefusal(error)) return error;
  const setting = refusedSetting(error.message, settings?.kubernetes ?? null);
  const next =
    setting === null ? '' : ` (correct \`${setting}\` in \`backend_settings.kubernetes\`)`;
  return new RefusedOrderError(`${error.text}${next}`, { cause: error });
}

async function removeSecrets(cluster: Cluster, pod: string): Promise<void> {
  const names = [secretName(pod), pullSecretName(pod)];
  await Promise.all(names.map((name) => remove(cluster, 'secrets', name)));
}

/** False: there is no such object. */
async function remove(cluster: Cluster, kind: string, name: string): Promise<boolean> {
  const body = { gracePeriodSeconds: GRACE_S };
  const path = cluster.path(kind, name);
  return (await cluster.client.find({ method: 'DELETE', path, body })) !== null;
}

async function observePod(
  { clusters, deliveries, secret, scheduleMs, scaleUpMs }: InstancesOptions,
  handle: InstanceHandle,
  onChange: (handleId: string) => void,
): Promise<Observation> {
  const cluster = clusterOf(clusters, handle);
  const pod = await cluster.pod(handle.id);
  if (pod === null) return { state: 'missing' };
  const events = isStarted(pod) ? [] : await cluster.eventsOf(pod);
  const state = podState({
    pod,
    events,
    now: cluster.client.clock.now(),
    scheduleMs,
    scaleUpMs,
    configMs: 0,
  });
  if (state.state !== 'started') return state;
  const delivery = deliveries?.progress(cluster, handle.id, state.node, () => onChange(handle.id));
  if (delivery?.kind === 'copying') return { state: 'pending', text: delivery.text };
  if (delivery?.kind === 'failed') {
    return { state: 'interrupted', reason: 'failed', text: delivery.error.message };
  }
  const known = { ...DIRECT, hostname: handle.id, internal_ip: state.ip };
  const ordered = orderedProvisioningData(placedOffer(cluster, pod, state.node), handle.id, known);
  return {
    state: 'ready',
    machine: { offer: null, provisioningData: ordered, totalBlocks: null },
    access: { kind: 'backend', token: tokenOf(secret, handle.id) },
  };
}

/** The cluster may have placed the pod on another node than the offered one. */
function placedOffer(cluster: Cluster, pod: Pod, node: string): Offer {
  const instance = instanceOf(pod);
  const { region } = cluster;
  const price = cluster.priceOf(instance.resources);
  return {
    ...{ backend: 'kubernetes', region, price, availability: 'available', backend_data: {} },
    ...{ availability_zones: null, instance_runtime: 'runner', blocks: 1, total_blocks: 1 },
    instance: { ...instance, name: node },
  };
}

async function releasePod(
  { clusters, tunnels, deliveries }: InstancesOptions,
  handle: InstanceHandle,
): Promise<'released' | 'releasing'> {
  const cluster = clusterOf(clusters, handle);
  tunnels.drop(tunnelKey(cluster, handle.id));
  deliveries?.forget(cluster, handle.id);
  if (await remove(cluster, 'pods', handle.id)) return 'releasing';
  await removeSecrets(cluster, handle.id);
  return 'released';
}

async function listPods(cluster: Cluster, server: string): Promise<ListedInstance[]> {
  const query = { labelSelector: cluster.selector('job', server) };
  const { items } = await cluster.client.call<KubeList<Pod>>({ path: cluster.path('pods'), query });
  const ours = items.filter((pod) => isNamedBy(pod.metadata.name, keyOf(pod)));
  return ours.map((pod) => ({
    handle: handleOf(cluster, pod.metadata.name),
    owner: ownerOf(pod),
    key: keyOf(pod),
  }));
}
