/**
 * Metrics of instances, runs and jobs, read from the database on request. Names and labels are
 * those of dstack 0.22.5, so that existing dashboards keep working.
 */

import type { JobMetrics } from '@dstack/contract/agent';
import { HEALTH_STATUSES, isRunFinished } from '@dstack/contract/status';
import { type Id, type Offer, type OrphanRecord, SECOND, type Timestamp } from '@dstack/core';
import type { InstanceView, JobView, RunCount, Store } from '@dstack/store';
import { Counter, Gauge, Registry } from 'prom-client';
import { certificatesOf } from '../gateways/certificates-of.ts';
import { wireBackend } from '../http/mapping/backend-name.ts';
import type { RunCounts } from './run-counts.ts';

type Labels = Readonly<Record<string, string | number>>;

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

export async function productSeries(
  store: Store,
  runs: RunCounts,
  now: Timestamp,
): Promise<string> {
  const series = new Series();
  const instances = await store.instances.list({ projectIds: null, onlyActive: true });
  for (const view of instances) addInstance(series, view, now);
  await addRuns(series, store, await runs.read(now));
  const jobs = (await store.jobs.running()).filter(({ job }) => job.provisioningData !== null);
  const points = await store.metrics.lastJobPoints(jobs.map(({ job }) => job.id));
  for (const view of jobs) addJob(series, view, points.get(view.job.id) ?? null, now);
  await addOrphans(series, store);
  await addGateways(series, store);
  return series.text();
}

/** Metrics by name, created on first use: a metric without values is not listed. */
class Series {
  readonly #registry = new Registry();
  readonly #gauges = new Map<string, Gauge>();
  readonly #counters = new Map<string, Counter>();

  gauge(name: string, help: string, labels: Labels, value: number): void {
    const { registry } = this;
    const known = this.#gauges.get(name);
    const made = known ?? new Gauge({ name, help, labelNames: Object.keys(labels), ...registry });
    this.#gauges.set(name, made);
    made.set(labels, value);
  }

  counter(name: string, help: string, labels: Labels, value: number): void {
    const { registry } = this;
    const known = this.#counters.get(name);
    const made = known ?? new Counter({ name, help, labelNames: Object.keys(labels), ...registry });
    this.#counters.set(name, made);
    made.inc(labels, value);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get registry() {
    return { registers: [this.#registry] };
  }
}

function addInstance(series: Series, view: InstanceView, now: Timestamp): void {
  const { instance } = view;
  const labels = {
    dstack_project_name: view.projectName,
    dstack_fleet_name: view.fleet.name,
    dstack_fleet_id: instance.fleetId,
    dstack_instance_name: instance.name,
    dstack_instance_id: instance.id,
    dstack_instance_type: instance.offer?.instance.name ?? '',
    dstack_backend: instance.backend === null ? '' : wireBackend(instance.backend),
    dstack_gpu: gpuName(instance.offer),
  };
  const since = instance.startedAt ?? instance.createdAt;
  series.counter(
    'dstack_instance_duration_seconds_total',
    'Seconds since the instance started',
    labels,
    secondsBetween(since, now),
  );
  series.gauge(
    'dstack_instance_price_dollars_per_hour',
    'Price of the instance, US dollars per hour',
    labels,
    instance.price,
  );
  series.gauge(
    'dstack_instance_gpu_count',
    'GPUs of the instance',
    labels,
    gpuCount(instance.offer),
  );
  series.gauge(
    'dstack_instance_health',
    'Health of the instance: 0 = healthy, 1 = warning, 2 = failure',
    labels,
    HEALTH_STATUSES.indexOf(instance.health),
  );
}

async function addRuns(
  series: Series,
  { projects, users }: Store,
  counts: readonly RunCount[],
): Promise<void> {
  const idsOf = (id: 'projectId' | 'userId') => [...new Set(counts.map((one) => one[id]))];
  const names = new Map<Id, string>();
  for (const { id, name } of await projects.byIds(idsOf('projectId'))) names.set(id, name);
  for (const { id, name } of await users.byIds(idsOf('userId'))) names.set(id, name);
  for (const { projectId, userId, status, count } of counts) {
    const labels = {
      dstack_project_name: names.get(projectId) ?? projectId,
      dstack_user_name: names.get(userId) ?? userId,
    };
    series.counter(
      'dstack_run_count_total',
      'Runs submitted and still known when the server started',
      labels,
      count,
    );
    if (!isRunFinished(status)) continue;
    series.counter(`dstack_run_count_${status}_total`, `Runs that ended ${status}`, labels, count);
  }
}

/** Resources in backends' accounts without a record: they may cost money unnoticed. */
async function addOrphans(series: Series, store: Store): Promise<void> {
  const help = 'Things with the tag of this server at providers that it has no record of';
  const reported = (await store.sweeps.orphans()).filter(({ reportedAt }) => reportedAt !== null);
  for (const [place, orphans] of Map.groupBy(reported, placeOf)) {
    const [dstack_backend = '', kind = ''] = place.split(' ');
    series.gauge('dstack_orphans', help, { dstack_backend, kind }, orphans.length);
  }
}

async function addGateways(series: Series, store: Store): Promise<void> {
  const placed = await store.gateways.placedReplicas();
  const ids = new Set(placed.map(({ gatewayId }) => gatewayId));
  for (const { gateway, projectName, reports } of await store.gateways.viewsByIds([...ids])) {
    const labels = { dstack_project_name: projectName, dstack_gateway_name: gateway.name };
    const ready = reports.filter(({ state }) => state === 'ready').length;
    series.gauge('dstack_gateway_replicas', 'Replicas that serve requests', labels, ready);
    for (const { domain, expiresAt } of certificatesOf(reports)) {
      if (expiresAt === null) continue;
      const help = 'When the certificate for a host name ends, in seconds since the epoch';
      const name = 'dstack_gateway_certificate_expiry_timestamp_seconds';
      series.gauge(name, help, { ...labels, domain }, Math.floor(expiresAt / SECOND));
    }
  }
}

const placeOf = ({ backend, kind }: OrphanRecord): string => `${wireBackend(backend)} ${kind}`;

function addJob(series: Series, view: JobView, point: JobMetrics | null, now: Timestamp): void {
  const { job, run } = view;
  const offer = job.runtimeData?.offer ?? null;
  const labels = {
    dstack_project_name: view.projectName,
    dstack_user_name: view.userName,
    dstack_run_name: run.name,
    dstack_run_id: run.id,
    dstack_job_name: job.name,
    dstack_job_id: job.id,
    dstack_job_num: job.jobNum,
    dstack_replica_num: job.replicaNum,
    dstack_run_type: run.spec.configuration.type,
    dstack_backend: job.provisioningData ? wireBackend(job.provisioningData.backend) : '',
    dstack_gpu: gpuName(offer),
  };
  const machine = job.provisioningData?.instance_type.resources;
  const gauge = (name: string, help: string, value: number) =>
    series.gauge(`dstack_job_${name}`, help, labels, value);
  series.counter(
    'dstack_job_duration_seconds_total',
    'Seconds since the job was submitted',
    labels,
    secondsBetween(job.submittedAt, now),
  );
  gauge(
    'price_dollars_per_hour',
    'Price of the job, US dollars per hour',
    offer?.price ?? job.provisioningData?.price ?? 0,
  );
  gauge('gpu_count', 'GPUs of the job', job.runtimeData?.gpu ?? gpuCount(offer));
  if (point === null) return;
  gauge('cpu_count', 'CPUs of the job', job.runtimeData?.cpu ?? machine?.cpus ?? 0);
  const cpuSeconds = point.cpu_usage_micro / SECOND;
  series.counter('dstack_job_cpu_time_seconds_total', 'CPU time used', labels, cpuSeconds);
  const share = job.runtimeData?.memory ?? null;
  const memory = share === null ? (machine?.memory_mib ?? 0) * MIB : share * GIB;
  gauge('memory_total_bytes', 'Memory of the job', memory);
  gauge('memory_usage_bytes', 'Memory in use, caches included', point.memory_usage_bytes);
  gauge(
    'memory_working_set_bytes',
    'Memory in use, without caches',
    point.memory_working_set_bytes,
  );
  addGpus(series, labels, point, (machine?.gpus[0]?.memory_mib ?? 0) * MIB);
}

function addGpus(series: Series, labels: Labels, point: JobMetrics, total: number): void {
  for (const [num, gpu] of point.gpus.entries()) {
    const own = { ...labels, dstack_gpu_num: num };
    const gauge = (name: string, help: string, value: number) =>
      series.gauge(`dstack_job_gpu_${name}`, help, own, value);
    gauge('usage_ratio', 'Use of the GPU, 0 to 1', gpu.util_percent / 100);
    gauge('memory_total_bytes', 'Memory of the GPU', total);
    gauge('memory_usage_bytes', 'Memory of the GPU in use', gpu.memory_usage_bytes);
  }
}

function gpuName(offer: Offer | null): string {
  return offer?.instance.resources.gpus[0]?.name ?? '';
}

function gpuCount(offer: Offer | null): number {
  return offer?.instance.resources.gpus.length ?? 0;
}

function secondsBetween(from: Timestamp, to: Timestamp): number {
  return Math.max(0, (to - from) / SECOND);
}
