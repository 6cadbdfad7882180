/** Measures the figures that the rules of a service's `autoscaling` are about. */
import type { AutoscalingRule, PrometheusRule } from '@dstack/contract/wire';
import { stableHash } from '../hash/stable-hash.ts';
import type { GpuSample, RequestCounts, ServiceLoad, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { latencyPercentile } from './latency-buckets.ts';

/** Seconds over which a rule measures if its `window` is not set. */
const DEFAULT_WINDOW = 60;

/** Seconds between two questions to Prometheus. */
export const QUERY_INTERVAL = 15;

/** An answer that is older (seconds) is not used. */
const QUERY_LIFE = 3 * QUERY_INTERVAL;

export interface Measured {
  /** The part of the requests that the group answers, from 0 to 1. */
  readonly share: number;
  readonly requests: RequestCounts;
  readonly load: ServiceLoad;
  /** GPU samples of the ready replicas of the group, one list per job. */
  readonly gpu: readonly (readonly GpuSample[])[];
  readonly now: Timestamp;
}

/** The figure of a rule; `unknown`: why there is none. */
export type Figure =
  | { readonly value: number }
  | { readonly value: null; readonly unknown: string | null };

export function windowOf(rule: AutoscalingRule): number {
  return rule.metric === 'prometheus' ? QUERY_INTERVAL : (rule.window ?? DEFAULT_WINDOW);
}

/** Identifies a question, also among those of other rules. */
export function queryKey({ url, query }: Pick<PrometheusRule, 'url' | 'query'>): string {
  return stableHash(`${url}\n${query}`);
}

/**
 * For `rps` and `concurrency` the total of the group, for `prometheus` the value of the query, else a
 * mean of the replicas.
 */
export function figureOf(rule: AutoscalingRule, measured: Measured): Figure {
  const window = windowOf(rule);
  switch (rule.metric) {
    case 'rps':
      return { value: ((measured.requests[window] ?? 0) * measured.share) / window };
    case 'concurrency':
      return { value: ((measured.load.busySeconds[window] ?? 0) * measured.share) / window };
    case 'latency': {
      const counts = measured.load.latencies[window] ?? {};
      const value = latencyPercentile(counts, (rule.percentile ?? 95) / 100);
      return value === null ? { value, unknown: null } : { value };
    }
    case 'gpu':
      return gpuFigure(measured, window);
    case 'prometheus':
      return queryFigure(rule, measured);
  }
}

function gpuFigure({ gpu, now }: Measured, window: number): Figure {
  const means = gpu.flatMap((samples) => {
    const recent = samples.filter(({ at }) => at > now - window * SECOND);
    const values = recent.flatMap(({ utilization }) => utilization);
    return values.length === 0 ? [] : [mean(values)];
  });
  if (means.length > 0) return { value: mean(means) };
  const unknown = gpu.length === 0 ? null : 'the replicas report no use of GPUs';
  return { value: null, unknown };
}

function queryFigure(rule: PrometheusRule, { load, now }: Measured): Figure {
  const answer = load.queries[queryKey(rule)];
  if (answer === undefined) return { value: null, unknown: null };
  if (answer.error !== null) return { value: null, unknown: answer.error };
  if (answer.value === null || now - answer.at > QUERY_LIFE * SECOND) {
    return { value: null, unknown: 'the last answer is too old' };
  }
  return { value: answer.value };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
