import { setImmediate } from 'node:timers/promises';
import { type CostQuery, ruleError } from '@dstack/contract/api';
import { type CostReport, formatTimestamp } from '@dstack/contract/wire';
import type { UserRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';
import { CostSums, roundedCost } from './cost-rows.ts';

const DEFAULT_PERIOD = 30 * 86_400_000_000;
/** A longer one would list too many days. */
const LONGEST_PERIOD = 3 * 366 * 86_400_000_000;

/** Costs of the projects that the caller may list. */
export async function costReport(
  deps: HttpDeps,
  caller: UserRecord,
  { project_name, since: start, until: end, by }: CostQuery,
): Promise<CostReport> {
  const { now } = deps.context();
  const until = end ?? now;
  const since = start ?? until - DEFAULT_PERIOD;
  if (since >= until) throw ruleError('`since` must be before `until`');
  if (until - since > LONGEST_PERIOD) throw ruleError('The period must not exceed three years');
  const projects = await visibleProjects(deps, caller, project_name);
  const sums = new CostSums(by, { since, until, now });
  for await (const jobs of deps.store.runs.paidJobs(projects, { since, until })) {
    for (const job of jobs) sums.add(job);
    // Queries on SQLite block the thread, and an await alone lets no other request run.
    await setImmediate();
  }
  const rows = sums.rows();
  return {
    since: formatTimestamp(since),
    until: formatTimestamp(until),
    by,
    total: roundedCost(rows.reduce((sum, { cost }) => sum + cost, 0)),
    rows,
  };
}
