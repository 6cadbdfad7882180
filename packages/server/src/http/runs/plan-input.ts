/** The inputs of a plan or a search for offers, read at one moment. */
import { ruleError } from '@dstack/contract/api';
import type { JobSpec, RunSpec } from '@dstack/contract/wire';
import {
  arrayOf,
  indexesOf,
  memberSpec,
  type PlanInput,
  type PlanOptions,
  planJobSpecs,
  volumeNamesOf,
} from '@dstack/core';
import type { ProjectRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';
import { knownImages } from './known-images.ts';

/** Throws `ApiError` if there is nothing to run. */
export async function planInput(
  deps: HttpDeps,
  project: ProjectRecord,
  whole: RunSpec,
  options: PlanOptions,
  runFleetId: string | null = null,
  userId: string | null = null,
): Promise<PlanInput> {
  const spec = firstMember(whole);
  const imageConfig = await knownImages(deps, project.id, spec);
  const built = planJobSpecs(spec, { settings: deps.settings.jobSpecs, imageConfig });
  if (!built.ok) throw ruleError(built.message);
  const { hints } = await deps.backends.state(project.id);
  const capacity = await deps.store.engine.loadCapacity(project.id);
  await lookAtVolumes(deps, capacity.volumes, built.jobSpecs);
  const { now, settings } = deps.context();
  return {
    now,
    projectId: project.id,
    projectName: project.name,
    ...capacity,
    offersOnly: hints.offersOnly,
    hasServerHost: hints.hasServerHost ?? false,
    spec,
    jobSpecs: built.jobSpecs,
    runFleetId,
    ...(userId !== null && { userId }),
    options,
    settings,
  };
}

/** An array is planned as its first member: the others require the same. */
function firstMember(spec: RunSpec): RunSpec {
  const array = arrayOf(spec);
  return array === null ? spec : memberSpec(spec, indexesOf(array)[0] ?? 0);
}

/** Before the run is submitted, its volumes have been looked for. */
async function lookAtVolumes(
  deps: HttpDeps,
  volumes: PlanInput['volumes'],
  jobSpecs: readonly JobSpec[],
): Promise<void> {
  const names = new Set(jobSpecs.flatMap((spec) => volumeNamesOf(spec).flat()));
  const mounted = volumes.map(({ volume }) => volume).filter(({ name }) => names.has(name));
  await deps.volumeLooks.at(mounted, deps.context().now);
}
