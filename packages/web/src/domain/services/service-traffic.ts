import type { ReplicaTraffic, ServiceTraffic } from '@dstack/contract/wire';
import type { StatusLook } from '../../ui/status/status-badge.tsx';
import { elapsedText } from '../../ui/time/format-time.ts';
import { count, percent, plural } from '../format/quantities.ts';
import { latencyText } from './service-figures.ts';

/** `1,204`; `–`: what answers the requests does not count them so. */
export function countText(value: number | null): string {
  return value === null ? '–' : count(value);
}

/** `3 (0.2 %)`; `–` if errors are not known. */
export function errorsText({
  errors,
  requests,
}: Pick<ReplicaTraffic, 'errors' | 'requests'>): string {
  if (errors === null) return '–';
  return errors === 0 || !requests
    ? count(errors)
    : `${count(errors)} (${partText(errors / requests)})`;
}

/** `33%`, `<1%`; `–` without requests. */
export function partText(part: number | null): string {
  if (part === null) return '–';
  return part > 0 && part < 0.01 ? `<${percent(0.01)}` : percent(part);
}

/** `9.5/s`, `120/s`. */
export function tokensText(perSecond: number): string {
  return `${perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : count(perSecond)}/s`;
}

/** `now`: milliseconds since the epoch. */
export function replicaLook({ state, until }: ReplicaTraffic, now: number): StatusLook {
  switch (state) {
    case 'ready':
      return { tone: 'done', icon: 'ok', text: 'Ready' };
    case 'failing':
      return { tone: 'failed', icon: 'failed', text: 'Failing' };
    case 'not_ready':
      return { tone: 'starting', icon: 'waiting', text: 'Not ready' };
    case 'avoided': {
      const left = until === null ? 0 : Date.parse(until) - now;
      const text = left > 0 ? `Avoided for ${elapsedText(left)}` : 'Avoided';
      return { tone: 'warning', icon: 'warning', text };
    }
  }
}

export const replicaTitle = ({ replica_num }: ReplicaTraffic): string => `Replica ${replica_num}`;

/** `1,200 requests (99 %), 3 errors, p95 1.2 s`; without requests those in flight. */
export function replicaText({
  requests,
  weight,
  errors,
  p95_ms,
  in_flight: inFlight,
}: ReplicaTraffic): string {
  if (!requests) return `${count(inFlight)} in flight`;
  const share = weight === null ? '' : ` (${partText(weight)})`;
  const failed = errors ? [plural(errors, 'error')] : [];
  return [`${plural(requests, 'request')}${share}`, ...failed, `p95 ${latencyText(p95_ms)}`].join(
    ', ',
  );
}

/** The most replicas whose reasons are named. */
const REASONS = 5;

/** Why replicas get no requests, and what is missing in the figures. */
export function trafficNotes(traffic: ServiceTraffic): readonly string[] {
  const kept = traffic.replicas.filter(({ reason }) => reason !== null);
  const more = kept.length - REASONS;
  return [
    ...kept.slice(0, REASONS).map((one) => `${replicaTitle(one)} ${fateOf(one)}: ${one.reason}.`),
    ...(more > 0 ? [`${plural(more, 'more replica')} ${more === 1 ? 'gets' : 'get'} none.`] : []),
    ...[moreText(traffic), gapText(traffic)].filter((note) => note !== null),
  ];
}

const fateOf = ({ state }: ReplicaTraffic): string =>
  state === 'failing' ? 'gets requests only if no other one can' : 'gets no requests';

/** Null: nothing is missing. */
function gapText(traffic: ServiceTraffic): string | null {
  const { partial, gateway, missing_gateway_replicas: lost, servers, missing_servers } = traffic;
  if (!partial) return null;
  if (gateway === null) {
    return `The figures may be too low: ${missing_servers} of ${servers} servers did not answer.`;
  }
  const named = `${lost.length === 1 ? 'replica' : 'replicas'} ${lost.join(', ')}`;
  return `The figures may be too low: no server is connected to ${named} of gateway ${gateway}.`;
}

/** Null: all replicas are shown. */
function moreText({ replicas, replicas_total: total }: ServiceTraffic): string | null {
  const more = total - replicas.length;
  return more <= 0
    ? null
    : `${plural(more, 'more replica')} ${more === 1 ? 'is' : 'are'} not shown.`;
}
