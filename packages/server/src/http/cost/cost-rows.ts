/** The rows of a report on costs, as the wire has them. */
import type { CostGroup, CostRow } from '@dstack/contract/wire';
import type { LedgerAmounts } from '@dstack/core';
import type { LedgerRow } from '@dstack/store';

const MS_OF_HOUR = 3_600_000;
const MS_OF_DAY = 24 * MS_OF_HOUR;

/** The highest cost first; days in their order. Rows in which no time has passed are left out. */
export function costRows(rows: readonly LedgerRow[], by: CostGroup): CostRow[] {
  const list = rows.filter(hasPassed).map(wireRow);
  if (by === 'day') return list.sort((a, b) => order(a.day ?? '', b.day ?? ''));
  return list.sort((a, b) => weightOf(b) - weightOf(a) || order(nameOf(a), nameOf(b)));
}

const hasPassed = ({ used, idle }: LedgerRow): boolean =>
  used.ms !== 0 || idle.cost !== 0 || idle.gpuMs !== 0;
const weightOf = ({ cost, idle_cost }: CostRow): number => (cost ?? 0) + idle_cost;
const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function wireRow(row: LedgerRow): CostRow {
  const { used, idle, day } = row;
  return {
    day: day === null ? null : new Date(day * MS_OF_DAY).toISOString().slice(0, 10),
    project_name: row.projectName,
    username: row.userName,
    run_name: row.runName,
    fleet_name: row.fleetName,
    gpu: row.gpu,
    tag: row.tag,
    cost: hasPrice(used) ? dollarsOf(used.cost) : null,
    hours: hoursOf(used.ms),
    gpu_hours: hoursOf(used.gpuMs),
    unpriced_hours: hoursOf(used.unpricedMs),
    idle_cost: dollarsOf(idle.cost),
    idle_gpu_hours: hoursOf(idle.gpuMs),
  };
}

/** Jobs that have held nothing have cost nothing; those without a known price, an unknown amount. */
const hasPrice = ({ ms, unpricedMs }: LedgerAmounts): boolean => ms === 0 || unpricedMs < ms;

/** Orders rows of equal cost, whatever the order in which they were read. */
function nameOf(row: CostRow): string {
  const { project_name, run_name, username, fleet_name, gpu, tag } = row;
  return [project_name, run_name, username, fleet_name, gpu, tag].join(' ');
}

/** USD with four decimals, as costs have on the wire; never -0. */
export function dollarsOf(micro: number): number {
  return Math.round(micro / 100) / 10_000 + 0;
}

const hoursOf = (ms: number): number => Math.round((ms / MS_OF_HOUR) * 10_000) / 10_000 + 0;
