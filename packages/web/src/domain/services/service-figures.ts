import type { ServiceFigures } from '@dstack/contract/wire';
import type { ReplicaCounts } from '../../data/runs/replica-counts.ts';
import { count, plural } from '../format/quantities.ts';

/** `0.4/s`, `12/s`; `<0.1/s` for single requests, which are not nothing. */
export function rateText({ rps }: ServiceFigures): string {
  if (rps > 0 && rps < 0.05) return '<0.1/s';
  return `${rps > 0 && rps < 10 ? rps.toFixed(1) : count(rps)}/s`;
}

/** `8 ms`, `1.2 s`; `–` without requests in the last minute. */
export function latencyText(ms: number | null): string {
  if (ms === null) return '–';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** `4`, `4 and 2 waiting`: requests without an answer yet. */
export function inFlightText({ in_flight, held }: ServiceFigures): string {
  return held === 0 ? count(in_flight) : `${count(in_flight)} and ${count(held)} waiting`;
}

/** `2 of 3 ready`. */
export function readyText({ replicas, ejected }: ServiceFigures): string {
  return ejected === 0
    ? count(replicas)
    : `${count(replicas - ejected)} of ${count(replicas)} ready`;
}

/** `3 replicas`, `2 of 3 replicas`: those that answer, of those that the service should have. */
export function replicasText(counts: ReplicaCounts, figures: ServiceFigures | null): string {
  const ready =
    figures === null
      ? counts.running
      : Math.min(counts.running, figures.replicas - figures.ejected);
  const { desired } = counts;
  const all = plural(desired, 'replica');
  return ready >= desired ? all : `${count(ready)} of ${all}`;
}

/** `2xx 1,204, 5xx 3`. */
export function outcomesText(outcomes: Readonly<Record<string, number>>): string {
  const parts = Object.entries(outcomes)
    .filter(([, ended]) => ended > 0)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([kind, ended]) => `${kind} ${count(ended)}`);
  return parts.join(', ') || 'none';
}

interface ShownService {
  readonly id: string;
  readonly status: string;
  readonly service: { readonly url: string } | null;
}

/** Whether the server has figures about its requests. */
export function hasFigures({ status, service }: ShownService): boolean {
  return status === 'running' && service !== null;
}

/** Whether this server passes the requests on, and not a gateway. `origin`: that of the page. */
export function isServedHere({ id, status, service }: ShownService, origin: string): boolean {
  if (status !== 'running' || service === null) return false;
  const own = new URL(origin).hostname;
  const { hostname } = new URL(service.url, origin);
  // Host names that this server gives to services end in a part of the run's id; gateways have the name alone.
  const [label = ''] = hostname.split('.');
  const isOwnHost = label.endsWith(`-${id.slice(0, 8)}`);
  return isOwnHost || hostname === own || hostname.endsWith(`.${own}`);
}
