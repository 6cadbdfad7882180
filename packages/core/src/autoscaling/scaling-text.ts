/** Why a rule requires a number of replicas, for events and explanations. */
import { formatDuration } from '@dstack/contract';
import type { AutoscalingRule } from '@dstack/contract/wire';
import { windowOf } from './figures.ts';

const NAMES = {
  rps: 'requests per second',
  concurrency: 'requests in flight',
  latency: 'latency',
  gpu: 'use of GPUs',
  prometheus: 'query',
} as const;

/** `requests in flight are 12.5 over 1m; the target is 4 per replica` */
export function figureText(rule: AutoscalingRule, value: number): string {
  const { metric } = rule;
  const what =
    metric === 'latency'
      ? `p${rule.percentile ?? 95} latency is`
      : `${nameOf(rule)} ${verbOf(rule)}`;
  const span = metric === 'prometheus' ? '' : ` over ${formatDuration(windowOf(rule))}`;
  return `${what} ${amount(rule, value)}${span}; the target is ${targetText(rule)}`;
}

export function unknownText(rule: AutoscalingRule, why: string): string {
  return `${nameOf(rule)} ${verbOf(rule)} unknown: ${why}`;
}

/** `for 30s` */
export function delayText(seconds: number): string {
  return `for ${formatDuration(seconds)}`;
}

function targetText(rule: AutoscalingRule): string {
  const isTotal = rule.metric !== 'latency' && rule.metric !== 'gpu';
  return `${amount(rule, rule.target)}${isTotal ? ' per replica' : ''}`;
}

function nameOf(rule: AutoscalingRule): string {
  if (rule.metric !== 'prometheus') return NAMES[rule.metric];
  const text = rule.query.length > 80 ? `${rule.query.slice(0, 79)}…` : rule.query;
  return `query ${text}`;
}

const verbOf = ({ metric }: AutoscalingRule): string =>
  metric === 'rps' || metric === 'concurrency' ? 'are' : 'is';

function amount({ metric }: AutoscalingRule, value: number): string {
  if (metric === 'gpu') return `${rounded(value)} %`;
  return metric === 'latency' ? `${rounded(value)} s` : rounded(value);
}

const rounded = (value: number): string => String(Number(value.toPrecision(3)));
