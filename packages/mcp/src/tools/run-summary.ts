import { isServerHostOnWire } from '@dstack/contract/status';
import type { InstanceOfferWithAvailability, Job, Run } from '@dstack/contract/wire';
import * as z from 'zod';

export const JobSummary = z.object({
  name: z.string(),
  status: z.string(),
  reason: z.string().nullable(),
  exit_status: z.number().nullable(),
  instance: z.string().nullable(),
  attempts: z.number(),
});

export const RunSummary = z.object({
  name: z.string(),
  type: z.string(),
  status: z.string(),
  status_message: z.string().nullable(),
  reason: z.string().nullable(),
  error: z.string().nullable(),
  user: z.string(),
  fleet: z.string().nullable(),
  submitted_at: z.string(),
  /** Null: the machines of its jobs have no price. */
  cost_usd: z.number().nullable(),
  service_url: z.string().nullable(),
  /** The members of an array by status; null if the run is no array. */
  array: z.object({ total: z.number(), members: z.record(z.string(), z.number()) }).nullable(),
});

/** A run without its configuration and its jobs. */
export function runSummary(run: Run): z.infer<typeof RunSummary> {
  return {
    name: run.run_spec.run_name ?? '',
    type: run.run_spec.configuration.type,
    status: run.status,
    status_message: run.status_message || null,
    reason: run.termination_reason ?? null,
    error: run.error ?? null,
    user: run.user,
    fleet: run.fleet?.name ?? null,
    submitted_at: run.submitted_at,
    cost_usd: run.cost || (isUnpriced(run) ? null : 0),
    service_url: run.service?.url ?? null,
    array: run.array ? { total: run.array.total, members: run.array.members } : null,
  };
}

/** Price 0 on the wire means that no price was entered. */
const isUnpriced = ({ jobs }: Run): boolean =>
  jobs.some(({ job_submissions }) => job_submissions.at(-1)?.job_provisioning_data?.price === 0);

export function jobSummary(job: Job): z.infer<typeof JobSummary> {
  const submission = job.job_submissions.at(-1);
  const instance = submission?.job_provisioning_data;
  return {
    name: job.job_spec.job_name,
    status: submission?.status ?? 'unknown',
    reason: submission?.termination_reason_message || submission?.termination_reason || null,
    exit_status: submission?.exit_status ?? null,
    instance: instance ? `${instance.instance_type.name} (${instance.region})` : null,
    attempts: job.job_submissions.length,
  };
}

export const OfferSummary = z.object({
  backend: z.string(),
  region: z.string(),
  instance: z.string(),
  /** The instances of a cluster; several are identical, and `instance` is the first. */
  nodes: z.number().optional(),
  cpus: z.number(),
  memory_gb: z.number(),
  gpus: z.string().nullable(),
  spot: z.boolean(),
  price_usd_per_hour: z.number(),
  availability: z.string(),
  /** Of an SSH host. */
  hostname: z.string().optional(),
});

export function offerSummary(offer: InstanceOfferWithAvailability): z.infer<typeof OfferSummary> {
  const { resources } = offer.instance;
  const [gpu] = resources.gpus;
  return {
    backend: isServerHostOnWire(offer) ? 'local' : offer.backend,
    region: offer.region,
    instance: offer.instance.name,
    ...(offer.nodes && { nodes: offer.nodes.count }),
    cpus: resources.cpus,
    memory_gb: Math.round(resources.memory_mib / 102.4) / 10,
    gpus: gpu
      ? `${resources.gpus.length}x ${gpu.name} ${Math.round(gpu.memory_mib / 1024)}GB`
      : null,
    spot: resources.spot,
    price_usd_per_hour: offer.price,
    availability: offer.availability,
    ...(offer.hostname && { hostname: offer.hostname }),
  };
}
