/** Instances of Slurm: each is a node of a batch job, in which the agent runs in the job's container. */
import type { Resources } from '@dstack/contract/wire';
import type { InstanceHandle, Offer, ProvisioningData } from '@dstack/core';
import type { AgentTunnels, TunnelTarget } from '../base/agent-tunnels.ts';
import { BackendError, SkipOfferError } from '../base/errors.ts';
import type { InstanceOrder, InstancePort, Observation } from '../base/instance-port.ts';
import { orderedProvisioningData } from '../base/provisioning-data.ts';
import { commentFrom } from './batch.ts';
import type { SlurmCluster } from './cluster.ts';
import { type Clusters, clusterOf, jobsOf } from './clusters.ts';
import { handleOf, type NodePlace, nodePlaceOf } from './handles.ts';
import {
  endedObservation,
  holdsNodes,
  isCompleting,
  isConfiguring,
  isStarted,
  isWaiting,
  type SlurmJob,
  waitingText,
} from './job-state.ts';
import { submitted } from './submission.ts';

export function slurmInstances(clusters: Clusters, tunnels: AgentTunnels): InstancePort {
  // With several servers, the one that submitted a job is mostly the one that connects to its agent.
  const submittedHere = new Set<string>();
  return {
    create: async (order) => {
      const { offer } = order;
      if (!offer) throw new SkipOfferError('an instance of Slurm needs an offer');
      const place = await placed(clusters, order, offer);
      const handle = handleOf(place);
      const provisioningData = orderedProvisioningData(offer, handle.id, DIRECT);
      submittedHere.add(handle.id);
      return { handle, hostId: order.instanceId, provisioningData };
    },
    observe: async (handle) => {
      const place = nodePlaceOf(handle);
      return await observed(clusterOf(clusters, place), place, (token) => {
        if (submittedHere.delete(handle.id)) tunnels.prepare(tunnelTo(clusters, handle, token));
      });
    },
    watch: (onChange) => {
      const ends = [...clusters.values()].map(({ queue }) => queue.watch(onChange));
      return () => {
        for (const end of ends) end();
      };
    },
    // The nodes of a gang end together.
    release: async (handle) => {
      submittedHere.delete(handle.id);
      tunnels.drop(handle.id);
      const place = nodePlaceOf(handle);
      return (await clusterOf(clusters, place).cancel(place.name)) ? 'released' : 'releasing';
    },
    list: async ({ server }) =>
      (await jobsOf(clusters.values(), server)).filter(({ owner }) => owner.instance !== ''),
    leaseEnding: 'exit',
    dial: (handle, token) => tunnels.dial(tunnelTo(clusters, handle, token), token),
  };
}

function tunnelTo(clusters: Clusters, handle: InstanceHandle, token: string): TunnelTarget {
  const place = nodePlaceOf(handle);
  const cluster = clusterOf(clusters, place);
  const open = async () => {
    try {
      const stream = await cluster.connect(place, token);
      return stream.once('close', () => cluster.queue.onDoubt());
    } catch (error) {
      // Slurm may have ended the job.
      cluster.queue.onDoubt();
      throw error;
    }
  };
  return { key: handle.id, what: `Slurm job ${handle.id}`, open };
}

/** Submits the job of an instance, or finds its node in the job of its group. */
async function placed(clusters: Clusters, order: InstanceOrder, offer: Offer): Promise<NodePlace> {
  const { group, key, owner, container, onPreparing } = order;
  if (group) return { ...nodePlaceOf(group.handle), rank: group.rank };
  const cluster = clusters.get(offer.region);
  if (!cluster) throw new SkipOfferError(`there is no cluster ${offer.region}`);
  const name = await submitted(cluster, { key, owner, container, nodes: 1, onPreparing }, offer);
  return { name, rank: 0, cluster: offer.region };
}

/** Users reach the job by the server alone. */
const DIRECT: Partial<ProvisioningData> = { dockerized: false, entry_only: true };

/** Slurm may have placed the job on another node than the offered one. */
async function provisioned(
  cluster: SlurmCluster,
  place: NodePlace,
  { host, partition, resources }: OnNode,
) {
  const { id } = handleOf(place);
  const instance = { name: host, resources };
  const offer = {
    backend: 'slurm',
    region: place.cluster,
    price: cluster.priceOf(resources),
    instance,
  } as const;
  return orderedProvisioningData({ ...offer, instance_runtime: 'runner' }, id, {
    ...DIRECT,
    ...{ hostname: host, availability_zone: partition },
    internal_ip: await cluster.addressOf(host),
  });
}

interface OnNode {
  readonly host: string;
  readonly partition: string;
  /** Resources of the ordered offer. */
  readonly resources: Resources;
}

async function observed(
  cluster: SlurmCluster,
  place: NodePlace,
  onListening: (token: string) => void,
): Promise<Observation> {
  const { name, rank } = place;
  const { jobs, tunnels, folders } = await cluster.jobs.viewOf(name);
  const job = jobs.get(name);
  // Slurm remembers jobs that have ended, also those that were released.
  if (!job || !(holdsNodes(job) || folders.has(name))) return { state: 'missing' };
  if (isWaiting(job)) return { state: 'pending', text: waitingText(job), queued: true };
  if (isConfiguring(job)) return { state: 'pending', text: `preparing ${job.nodes}` };
  if (!isStarted(job) && !isCompleting(job)) {
    return endedObservation(job, await cluster.tail(name));
  }
  const address = tunnels.get(name)?.get(rank);
  if (!address) return { state: 'pending', text: await startingText(cluster, job) };
  const comment = commentFrom(job.comment);
  if (!comment?.resources) throw new BackendError(`the comment of Slurm job ${job.id} was changed`);
  const token = cluster.token(place, comment);
  onListening(token);
  const { resources } = comment;
  const on = { host: address.host, partition: job.partition, resources };
  const provisioningData = await provisioned(cluster, place, on);
  return {
    state: 'ready',
    machine: { offer: null, provisioningData, totalBlocks: 1 },
    access: { kind: 'backend', token },
  };
}

async function startingText(cluster: SlurmCluster, job: SlurmJob): Promise<string> {
  const output = await cluster.tail(job.name);
  return output === '' ? `starting on ${job.nodes}` : `starting on ${job.nodes}: ${output}`;
}
