/** The requests of services as tables. */
import type {
  ModelTraffic,
  ReplicaTraffic,
  ServiceTraffic,
  ServiceTrafficSum,
} from '@dstack/contract/wire';
import { durationInUnits } from '../format/time.ts';
import { trimmed } from '../format/values.ts';
import { type Cell, type Column, renderTable, type TableLayout } from '../terminal/table.ts';

/** One row for each service, below a table of runs. */
export function renderTraffic(services: readonly ServiceTrafficSum[], layout: TableLayout): string {
  const rows = services.map((one) => [
    { text: one.run_name, style: 'bold' as const },
    ...figureCells(one),
  ]);
  return renderTable([{ header: 'SERVICE', keep: true }, ...FIGURES], rows, layout);
}

/** The figures of one service. */
export function renderFigures(traffic: ServiceTraffic, layout: TableLayout): string {
  return renderTable(FIGURES, [figureCells(traffic)], layout);
}

/** The answers and tokens of the model of a service, as one row. */
export function renderModel(model: ModelTraffic, layout: TableLayout): string {
  const columns = [
    { header: 'MODEL ANSWERS', keep: true },
    { header: 'PROMPT TOKENS', keep: true, optional: 2 },
    { header: 'TOKENS', keep: true },
    { header: 'FIRST P50', keep: true },
    { header: 'FIRST P95', keep: true },
    { header: 'FIRST P99', keep: true, optional: 1 },
  ];
  const row = [
    String(model.answers),
    rateText(model.prompt_tokens_per_second),
    rateText(model.completion_tokens_per_second),
    latencyText(model.first_token_p50_ms),
    latencyText(model.first_token_p95_ms),
    latencyText(model.first_token_p99_ms),
  ];
  return renderTable(columns, [row], layout);
}

const rateText = (perSecond: number): string => `${trimmed(perSecond, perSecond < 10 ? 1 : 0)}/s`;

/** `now`: milliseconds since the epoch. */
export function renderReplicas(
  replicas: readonly ReplicaTraffic[],
  now: number,
  layout: TableLayout,
): string {
  const hasGroups = new Set(replicas.map(({ group }) => group)).size > 1;
  const columns = [
    { header: 'REPLICA', keep: true },
    ...(hasGroups ? [{ header: 'GROUP', keep: true, optional: 2 }] : []),
    { header: 'REQUESTS', keep: true },
    { header: 'WEIGHT', keep: true, optional: 4 },
    { header: 'ERRORS', keep: true },
    { header: 'P50', keep: true, optional: 6 },
    { header: 'P95', keep: true, optional: 3 },
    { header: 'P99', keep: true, optional: 5 },
    { header: 'IN FLIGHT', keep: true, optional: 1 },
    { header: 'STATE', keep: true },
    { header: 'WHY', below: 40 },
  ];
  const rows = replicas.map((one) => [
    String(one.replica_num),
    ...(hasGroups ? [one.group] : []),
    one.requests === null ? '-' : String(one.requests),
    one.weight === null ? '-' : percentText(one.weight),
    errorsCell(one),
    latencyText(one.p50_ms),
    latencyText(one.p95_ms),
    latencyText(one.p99_ms),
    String(one.in_flight),
    stateCell(one, now),
    one.reason ?? '',
  ]);
  return renderTable(columns, rows, layout);
}

const FIGURES: readonly Column[] = [
  { header: 'REQUESTS', keep: true },
  { header: 'ERRORS', keep: true },
  { header: 'RATE', keep: true, optional: 2 },
  { header: 'P50', keep: true, optional: 3 },
  { header: 'P95', keep: true },
  { header: 'P99', keep: true, optional: 1 },
  { header: 'IN FLIGHT', keep: true },
  { header: 'WAITING', keep: true, optional: 4 },
];

function figureCells(one: Omit<ServiceTrafficSum, 'ready'>): (Cell | string)[] {
  return [
    String(one.requests),
    errorsCell(one),
    rateText(one.rps),
    latencyText(one.p50_ms),
    latencyText(one.p95_ms),
    latencyText(one.p99_ms),
    String(one.in_flight),
    String(one.held),
  ];
}

/** `3 (0.2%)`. */
function errorsCell({
  errors,
  requests,
}: Pick<ReplicaTraffic, 'errors' | 'requests'>): Cell | string {
  if (errors === null) return '-';
  if (errors === 0 || !requests) return String(errors);
  const part = errors / requests;
  return { text: `${errors} (${percentText(part)})`, style: part >= 0.05 ? 'bad' : 'gold' };
}

/** `0.2%`, `33%`. */
function percentText(part: number): string {
  const percent = 100 * part;
  if (percent > 0 && percent < 0.1) return '<0.1%';
  return `${trimmed(percent, percent < 10 ? 1 : 0)}%`;
}

/** `8ms`, `1.2s`; `-` without requests. */
function latencyText(ms: number | null): string {
  if (ms === null) return '-';
  if (ms < 1000) return `${trimmed(ms, ms < 10 ? 1 : 0)}ms`;
  return `${trimmed(ms / 1000, ms < 10_000 ? 1 : 0)}s`;
}

function stateCell({ state, until }: ReplicaTraffic, now: number): Cell {
  switch (state) {
    case 'ready':
      return { text: 'ready', style: 'good' };
    case 'failing':
      return { text: 'failing', style: 'bad' };
    case 'not_ready':
      return { text: 'not ready', style: 'secondary' };
    case 'avoided': {
      const left = until === null ? 0 : Math.ceil((Date.parse(until) - now) / 1000);
      const text = left > 0 ? `avoided for ${durationInUnits(left)}` : 'avoided';
      return { text, style: 'bad' };
    }
  }
}
