import type { ServiceFigures, ServiceTrafficSum } from '@dstack/contract/wire';
import type { ReplicaCounts } from '../../data/runs/replica-counts.ts';
import { count, plural } from '../format/quantities.ts';

/** `0.4/s`, `12/s`; `<0.1/s` for single requests, which are not nothing. */
export function rateText({ rps }: Pick<ServiceFigures, 'rps'>): string {
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
export function inFlightText({
  in_flight,
  held,
}: Pick<ServiceFigures, 'in_flight' | 'held'>): string {
  return held === 0 ? count(in_flight) : `${count(in_flight)} and ${count(held)} waiting`;
}

/** `3 replicas`, `2 of 3 replicas`: those that answer, of those that the service should have. */
export function replicasText(
  counts: ReplicaCounts,
  figures: Pick<ServiceTrafficSum, 'ready'> | null,
): string {
  const ready = figures === null ? counts.running : Math.min(counts.running, figures.ready);
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
  readonly status: string;
  readonly service: object | null;
}

/** Whether the server has figures about its requests. */
export function hasFigures({ status, service }: ShownService): boolean {
  return status === 'running' && service !== null;
}
