/** The share of a machine that a job gets, as sent to agents and clients. */

import { isServerHost } from '../capabilities/capabilities.ts';
import type {
  EngineSettings,
  InstanceRecord,
  JobRecord,
  Offer,
  RuntimeData,
} from '../model/index.ts';
import { cpusOfShare, shareOffer } from '../offers/blocks.ts';

/**
 * A job on a whole instance has no limits; one on a share has the limits of its blocks. The server's
 * machine holds several instances, so there even a whole instance has a number of GPUs and never the
 * host's network.
 */
export function runtimeDataFor(
  job: JobRecord,
  instance: Pick<InstanceRecord, 'backend' | 'totalBlocks'>,
  offer: Offer,
  settings: EngineSettings,
): RuntimeData {
  const total = instance.totalBlocks ?? 1;
  const whole = job.claimedBlocks >= total;
  const share = shareOffer(offer, total, whole ? total : job.claimedBlocks);
  const { memory_mib, gpus } = share.instance.resources;
  return {
    network_mode: networkMode(job, instance, whole, settings),
    gpu: whole && !isServerHost(instance.backend) ? null : gpus.length,
    cpu: whole ? null : cpusOfShare(offer, total, job.claimedBlocks),
    memory: whole ? null : memory_mib / 1024,
    ports: null,
    volume_names: [],
    offer: share,
    working_dir: null,
    username: null,
  };
}

function networkMode(
  job: JobRecord,
  instance: Pick<InstanceRecord, 'backend'>,
  whole: boolean,
  settings: EngineSettings,
): 'host' | 'bridge' {
  if (!whole || isServerHost(instance.backend)) return 'bridge';
  const multinode = (job.spec.jobs_per_replica ?? 1) > 1;
  const host = settings.jobNetworkMode === 2 || (settings.jobNetworkMode === 1 && multinode);
  return host ? 'host' : 'bridge';
}
