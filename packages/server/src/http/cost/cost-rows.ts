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

/** Adds up jobs as they are read: what it keeps are the rows, never the jobs. */
export class CostSums {
  readonly #by: CostGroup;
  readonly #period: CostPeriod;
  readonly #rows = new Map<string, CostRow>();

  constructor(by: CostGroup, period: CostPeriod) {
    this.#by = by;
    this.#period = period;
  }

  add(job: PaidJob): void {
    const { since, until, now } = this.#period;
    const from = Math.max(job.submittedAt, since);
    const to = Math.min(job.finishedAt ?? now, until);
    for (const part of this.#by === 'day' ? partsByDay(from, to) : [{ from, to }]) {
      if (part.to <= part.from) continue;
      const { key, ...fields } = groupOf(job, this.#by, part.from);
      const row = this.#rows.get(key) ?? { ...NO_FIELDS, ...fields, cost: 0, hours: 0 };
      const hours = (part.to - part.from) / HOUR;
      row.hours += hours;
      row.cost += hours * job.price;
      this.#rows.set(key, row);
    }
  }

  /** The highest cost first; days in their order. */
  rows(): CostRow[] {
    const list = [...this.#rows.values()];
    if (this.#by === 'day') list.sort((a, b) => (a.day ?? '').localeCompare(b.day ?? ''));
    else list.sort((a, b) => b.cost - a.cost || nameOf(a).localeCompare(nameOf(b)));
    return list.map((row) => ({
      ...row,
      cost: roundedCost(row.cost),
      hours: roundedCost(row.hours),
    }));
  }
}

/** Orders rows of equal cost, whatever the order in which the jobs were read. */
function nameOf({ project_name, run_name, username }: CostRow): string {
  return `${project_name} ${run_name} ${username}`;
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
