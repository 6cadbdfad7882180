/** Sums up what jobs have cost in a period. */
import type { CostGroup, CostRow } from '@dstack/contract/wire';
import type { Timestamp } from '@dstack/core';
import type { PaidJob } from '@dstack/store';

const HOUR = 3_600_000_000;
const DAY = 24 * HOUR;

export interface CostPeriod {
  readonly since: Timestamp;
  readonly until: Timestamp;
  /** Jobs without an end have cost until now. */
  readonly now: Timestamp;
}

/** The highest cost first; days in their order. */
export function costRows(
  jobs: readonly PaidJob[],
  by: CostGroup,
  { since, until, now }: CostPeriod,
): CostRow[] {
  const rows = new Map<string, CostRow>();
  for (const job of jobs) {
    const from = Math.max(job.submittedAt, since);
    const to = Math.min(job.finishedAt ?? now, until);
    for (const part of by === 'day' ? partsByDay(from, to) : [{ from, to }]) {
      if (part.to <= part.from) continue;
      const { key, ...fields } = groupOf(job, by, part.from);
      const row = rows.get(key) ?? { ...NO_FIELDS, ...fields, cost: 0, hours: 0 };
      const hours = (part.to - part.from) / HOUR;
      row.hours += hours;
      row.cost += hours * job.price;
      rows.set(key, row);
    }
  }
  const list = [...rows.values()];
  if (by === 'day') list.sort((a, b) => (a.day ?? '').localeCompare(b.day ?? ''));
  else list.sort((a, b) => b.cost - a.cost);
  return list.map((row) => ({
    ...row,
    cost: roundedCost(row.cost),
    hours: roundedCost(row.hours),
  }));
}

/** Four decimals, as costs have on the wire. */
export function roundedCost(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}

const NO_FIELDS = { day: null, project_name: null, username: null, run_name: null };

function groupOf(
  job: PaidJob,
  by: CostGroup,
  at: Timestamp,
): { readonly key: string } & Partial<CostRow> {
  const { runId, runName: run_name, projectName: project_name, userName: username } = job;
  switch (by) {
    case 'run':
      return { key: runId, run_name, project_name, username };
    case 'user':
      return { key: username, username };
    case 'project':
      return { key: project_name, project_name };
    case 'day': {
      const day = new Date(at / 1000).toISOString().slice(0, 10);
      return { key: day, day };
    }
  }
}

function partsByDay(from: Timestamp, to: Timestamp): { from: Timestamp; to: Timestamp }[] {
  const parts: { from: Timestamp; to: Timestamp }[] = [];
  for (let at = from; at < to; ) {
    const end = Math.min(to, (Math.floor(at / DAY) + 1) * DAY);
    parts.push({ from: at, to: end });
    at = end;
  }
  return parts;
}
