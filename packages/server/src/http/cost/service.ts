import { type CostQuery, ruleError } from '@dstack/contract/api';
import { type CostReport, formatTimestamp } from '@dstack/contract/wire';
import type { UserRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';
import { costRows, dollarsOf } from './cost-rows.ts';

const DEFAULT_PERIOD = 30 * 86_400_000_000;
/** A longer one would list too many days. */
const LONGEST_PERIOD = 3 * 366 * 86_400_000_000;

/** Costs of the projects that the caller may list. */
export async function costReport(
  deps: HttpDeps,
  caller: UserRecord,
  { project_name, since: start, until: end, by, tag }: CostQuery,
): Promise<CostReport> {
  const { now } = deps.context();
  const until = end ?? now;
  const since = start ?? until - DEFAULT_PERIOD;
  if (since >= until) throw ruleError('`since` must be before `until`');
  if (until - since > LONGEST_PERIOD) throw ruleError('The period must not exceed three years');
  if (by === 'tag' && !tag) throw ruleError('`by=tag` needs the key of a tag: `tag=team`');
  if (by !== 'tag' && tag) throw ruleError('`tag` is the key for `by=tag`: it selects no runs');
  const projectIds = await visibleProjects(deps, caller, project_name);
  const report = await deps.store.ledger.report({ projectIds, since, until, now, by, tag });
  return {
    since: formatTimestamp(since),
    until: formatTimestamp(until),
    by,
    total: dollarsOf(report.used.cost),
    idle_total: dollarsOf(report.idle.cost),
    rows: costRows(report.rows, by),
  };
}
