import type { ExplainPlanRequest } from '@dstack/contract/api';
import { isRunFinished } from '@dstack/contract/status';
import type { PlanExplanation } from '@dstack/contract/wire';
import { explainPlan } from '@dstack/core';
import { wireConsidered } from '../mapping/explain.ts';
import type { HttpDeps } from '../ports.ts';
import { effectiveRunSpec } from '../runs/effective-spec.ts';
import { planInput } from '../runs/plan-input.ts';
import { type Asker, explainContext, withOffers } from './service.ts';

/** Reserves nothing: placement decides anew when the run is submitted. */
export async function explainPlannedRun(
  deps: HttpDeps,
  asker: Asker,
  { run_spec }: ExplainPlanRequest,
): Promise<PlanExplanation> {
  const { project, user } = asker;
  const spec = await effectiveRunSpec(deps, project, user, run_spec);
  const { run_name: name } = spec;
  const current = name === null ? null : await deps.store.runs.byName(project.id, name);
  const isActive = current !== null && !isRunFinished(current.run.status);
  const input = await planInput(deps, project, spec, {}, isActive ? current.run.fleetId : null);
  const backends = await deps.backends.state(project.id);
  const ctx = await explainContext(deps, asker);
  const rows = await withOffers(deps, project.id, (answers) =>
    explainPlan(input, backends, answers, ctx),
  );
  return { considered: rows.map(wireConsidered) };
}
