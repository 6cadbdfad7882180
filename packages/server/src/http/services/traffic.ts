/** The requests of services in the last minute, by all servers and gateways that have counted them. */
import { type ListTrafficRequest, notExists } from '@dstack/contract/api';
import { avoidedText } from '@dstack/contract/event-text';
import { isJobFinished, isRunFinished } from '@dstack/contract/status';
import {
  formatTimestamp,
  MOST_TRAFFIC_REPLICAS,
  type ModelTraffic,
  type ReplicaTraffic,
  type ServiceTraffic,
  type ServiceTrafficList,
  type ServiceTrafficSum,
} from '@dstack/contract/wire';
import type { Id, JobRecord, RunRecord } from '@dstack/core';
import {
  type AvoidedFor,
  type CountedReplica,
  type RecentRequests,
  recentPercentile,
} from '@dstack/proxy';
import type { GatewayView, ProjectRecord, ServiceReplica } from '@dstack/store';
import type { AskedService } from '../../traffic/own-traffic.ts';
import { sumOfParts, type TrafficPart, type TrafficSum } from '../../traffic/traffic-part.ts';
import type { GatheredTraffic } from '../../traffic/traffic-peers.ts';
import type { HttpDeps } from '../ports.ts';

type Deps = Pick<HttpDeps, 'store' | 'traffic'>;

export async function serviceTraffic(
  { store, traffic }: Deps,
  project: ProjectRecord,
  runName: string,
): Promise<ServiceTraffic> {
  const [run] = await store.runs.byNames(project.id, [runName]);
  if (run === undefined || !isServed(run)) throw notExists(`Service ${runName} not found`);
  const [gathered, gateway, ready, views] = await Promise.all([
    traffic([askedOf(run, project)], true),
    run.gatewayId === null ? null : store.gateways.byId(run.gatewayId),
    store.services.readyReplicas([run.id]),
    // Its earlier submissions, of which there may be thousands, receive no requests.
    store.runs.viewsByIds([run.id]),
  ]);
  const { parts, servers } = gathered;
  const replicasMissing = gateway === null ? [] : missingReplicas(gateway, parts);
  const sum = sumOfParts(parts);
  const replicas = replicaRows(views[0]?.jobs ?? [], ready.get(run.id) ?? [], sum);
  return {
    ...figuresOf(run, sum, isPartial(run, gathered, gateway, parts)),
    answered: sum.answered,
    replicas: mostRelevant(replicas),
    replicas_total: replicas.length,
    model: modelTraffic(sum),
    gateway: gateway?.gateway.name ?? null,
    ...{ servers, missing_servers: gathered.missing, missing_gateway_replicas: replicasMissing },
  };
}

export async function listTraffic(
  { store, traffic }: Deps,
  project: ProjectRecord,
  { run_names: names }: ListTrafficRequest,
): Promise<ServiceTrafficList> {
  const runs = (await store.runs.byNames(project.id, [...new Set(names)])).filter(isServed);
  const gatewayIds = [...new Set(runs.flatMap(({ gatewayId }) => gatewayId ?? []))];
  const [gathered, views, ready] = await Promise.all([
    traffic(
      runs.map((run) => askedOf(run, project)),
      false,
    ),
    gatewayIds.length === 0 ? [] : store.gateways.viewsByIds(gatewayIds),
    store.services.readyReplicas(runs.map(({ id }) => id)),
  ]);
  const byRun = Map.groupBy(gathered.parts, ({ runId }) => runId);
  const services = runs.flatMap((run) => {
    const parts = byRun.get(run.id) ?? [];
    // No server is connected to its gateway: nothing is known, which is not the same as no requests.
    if (!parts.some(({ isLive }) => isLive)) return [];
    const gateway = views.find((view) => view.gateway.id === run.gatewayId) ?? null;
    const sum = sumOfParts(parts);
    const figures = figuresOf(run, sum, isPartial(run, gathered, gateway, parts));
    return [{ ...figures, ready: answering(ready.get(run.id) ?? [], sum) }];
  });
  return { services };
}

/** How many replicas are in the state `ready`. */
function answering(ready: readonly ServiceReplica[], { replicas }: TrafficSum): number {
  const avoided = new Set(replicas.flatMap((one) => (one.avoided === null ? [] : one.jobId)));
  return ready.filter(({ jobId, isFailing }) => !isFailing && !avoided.has(jobId)).length;
}

const isServed = ({ serviceSpec, status }: RunRecord): boolean =>
  serviceSpec !== null && !isRunFinished(status);

const askedOf = ({ id, name, gatewayId }: RunRecord, project: ProjectRecord): AskedService => ({
  ...{ runId: id, runName: name, projectName: project.name, gatewayId },
});

function isPartial(
  { gatewayId }: RunRecord,
  { missing }: GatheredTraffic,
  gateway: GatewayView | null,
  parts: readonly TrafficPart[],
): boolean {
  if (gatewayId === null) return missing > 0;
  return gateway === null || missingReplicas(gateway, parts).length > 0;
}

/** Numbers of those that should count requests, and to which no server that has answered is connected. */
function missingReplicas({ replicas }: GatewayView, parts: readonly TrafficPart[]): number[] {
  const live = new Set(parts.filter(({ isLive }) => isLive).map(({ source }) => source));
  return replicas
    .filter(({ id, instanceId, deleted }) => instanceId !== null && !deleted && !live.has(id))
    .map(({ replicaNum }) => replicaNum);
}

function figuresOf(
  run: RunRecord,
  sum: TrafficSum,
  partial: boolean,
): Omit<ServiceTrafficSum, 'ready'> {
  const { recent, inFlight, held } = sum;
  const { seconds, requests, errors } = recent;
  return {
    ...{ run_id: run.id, run_name: run.name, window_seconds: seconds, requests, errors },
    rps: seconds === 0 ? 0 : requests / seconds,
    ...percentiles(recent.buckets),
    ...{ in_flight: inFlight, held, partial },
  };
}

/** The job of each replica that receives its requests, or will. */
function replicaRows(
  jobs: readonly JobRecord[],
  ready: readonly ServiceReplica[],
  { replicas: counted, knowsReplicas }: TrafficSum,
): ReplicaTraffic[] {
  const readyOf = new Map(ready.map((one) => [one.jobId, one]));
  const countedOf = new Map(counted.map((one) => [one.jobId, one]));
  const known = counted.map(({ recent }) => recent);
  const isKnown = knowsReplicas && !known.includes(null);
  const all = known.reduce((sum, recent) => sum + (recent?.requests ?? 0), 0);
  const answersOf = (job: JobRecord) =>
    replicaAnswers(isKnown ? (countedOf.get(job.id)?.recent ?? NO_ANSWERS) : null, all);
  const answering = jobs.filter(
    (job) => readyOf.has(job.id) || (job.jobNum === 0 && !isJobFinished(job.status)),
  );
  return answering
    .map((job) => ({
      ...replicaRow(job, readyOf.get(job.id), countedOf.get(job.id)),
      ...answersOf(job),
    }))
    .sort((a, b) => a.replica_num - b.replica_num);
}

type Answers = Pick<
  ReplicaTraffic,
  'requests' | 'errors' | 'weight' | 'p50_ms' | 'p95_ms' | 'p99_ms'
>;

const NO_ANSWERS: NonNullable<CountedReplica['recent']> = { requests: 0, errors: 0, buckets: [] };

/** `all`: requests of all replicas. */
function replicaAnswers(recent: CountedReplica['recent'], all: number): Answers {
  const { requests = null, errors = null, buckets = [] } = recent ?? {};
  const weight = requests === null || all === 0 ? null : requests / all;
  return { requests, errors, weight, ...percentiles(buckets) };
}

const percentiles = (buckets: RecentRequests['buckets']) => ({
  p50_ms: recentPercentile({ buckets }, 0.5),
  p95_ms: recentPercentile({ buckets }, 0.95),
  p99_ms: recentPercentile({ buckets }, 0.99),
});

function modelTraffic({ model, recent: { seconds } }: TrafficSum): ModelTraffic | null {
  if (model === null || seconds === 0) return null;
  const { p50_ms, p95_ms, p99_ms } = percentiles(model.buckets);
  return {
    answers: model.answers,
    prompt_tokens_per_second: model.promptTokens / seconds,
    completion_tokens_per_second: model.completionTokens / seconds,
    first_token_p50_ms: p50_ms,
    first_token_p95_ms: p95_ms,
    first_token_p99_ms: p99_ms,
  };
}

function replicaRow(
  job: JobRecord,
  ready: ServiceReplica | undefined,
  counted: CountedReplica | undefined,
): Omit<ReplicaTraffic, keyof Answers> {
  const named = { replica_num: job.replicaNum, job_id: job.id, group: job.spec.replica_group };
  const row = { ...named, reason: null, until: null, in_flight: counted?.inFlight ?? 0 };
  const avoided = counted?.avoided ?? null;
  if (ready === undefined) return { ...row, state: 'not_ready' };
  if (avoided !== null) {
    const until = formatTimestamp(Math.round(avoided.until * 1000));
    return { ...row, state: 'avoided', reason: reasonOf(avoided), until };
  }
  return ready.isFailing
    ? { ...row, state: 'failing', reason: 'a probe fails' }
    : { ...row, state: 'ready' };
}

function reasonOf({ why }: AvoidedFor): string {
  if (why === null) return 'it refuses connections';
  const none = { errors: null, rate: null, others: null };
  return avoidedText(
    why.cause === 'errors_in_row'
      ? { ...none, errors: why.errors }
      : { ...none, rate: why.rate, others: why.others },
  );
}

/** In the order of their numbers; if there are too many, those that get no requests are kept. */
function mostRelevant(rows: readonly ReplicaTraffic[]): ReplicaTraffic[] {
  if (rows.length <= MOST_TRAFFIC_REPLICAS) return [...rows];
  const rank = ({ state }: ReplicaTraffic) => (state === 'ready' ? 1 : 0);
  const kept: ReadonlySet<Id> = new Set(
    [...rows]
      .sort((a, b) => rank(a) - rank(b) || b.in_flight - a.in_flight)
      .slice(0, MOST_TRAFFIC_REPLICAS)
      .map(({ job_id }) => job_id),
  );
  return rows.filter(({ job_id }) => kept.has(job_id));
}
