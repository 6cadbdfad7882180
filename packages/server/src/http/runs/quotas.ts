/** Refuses runs that the quotas of their project never let start. */
import { ruleError } from '@dstack/contract/api';
import { amountText, isUnknownPart, type RunSpec, resourceText } from '@dstack/contract/wire';
import { exceededLimit, planJobSpecs } from '@dstack/core';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';

/** A run that only has to wait for a quota is accepted. */
export async function checkQuotas(
  deps: HttpDeps,
  project: ProjectRecord,
  user: UserRecord,
  spec: RunSpec,
): Promise<void> {
  const states = await deps.store.quotas.ofProject(project.id);
  if (states.length === 0) return;
  const built = planJobSpecs(spec, { settings: deps.settings.jobSpecs });
  if (!built.ok) return;
  const payer = { projectId: project.id, userId: user.id };
  const exceeded = exceededLimit(states, payer, spec, built.jobSpecs);
  if (exceeded === null) return;
  const { resource, limit, needed, of } = exceeded;
  const owner = of === 'user' ? `user '${user.name}' in project` : 'project';
  const needs = isUnknownPart(resource, needed)
    ? 'more than the'
    : `${amountText(resource, needed)} of at most`;
  throw ruleError(
    `Quota: the run needs ${needs} ${resourceText(resource, limit)} of ${owner} '${project.name}', so it could never start. Ask for less, or have the quota raised (dstack quota list)`,
  );
}
