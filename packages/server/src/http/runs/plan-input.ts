/** The inputs of a plan or a search for offers, read at one moment. */
import { ruleError } from '@dstack/contract/api';
import type { RunSpec } from '@dstack/contract/wire';
import { type PlanInput, type PlanOptions, planJobSpecs } from '@dstack/core';
import type { ProjectRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';
import { knownImages } from './known-images.ts';

/** Throws `ApiError` if there is nothing to run. */
export async function planInput(
  deps: HttpDeps,
  project: ProjectRecord,
  spec: RunSpec,
  options: PlanOptions,
  runFleetId: string | null = null,
): Promise<PlanInput> {
  const imageConfig = await knownImages(deps, project.id, spec);
  const built = planJobSpecs(spec, { settings: deps.settings.jobSpecs, imageConfig });
  if (!built.ok) throw ruleError(built.message);
  const { hints } = await deps.backends.state(project.id);
  const capacity = await deps.store.engine.loadCapacity(project.id, hints);
  return {
    projectId: project.id,
    projectName: project.name,
    ...capacity,
    spec,
    jobSpecs: built.jobSpecs,
    runFleetId,
    options,
    settings: deps.context().settings,
  };
}
