/** The runs that have to end before a new one starts. */
import { ruleError } from '@dstack/contract/api';
import type { RunSpec } from '@dstack/contract/wire';
import { type DependencyRecord, presentOutcome, type RunRecord } from '@dstack/core';
import type { ProjectRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';

export const upstreamNames = ({ configuration }: RunSpec): string[] =>
  (configuration.depends_on ?? []).map(({ run }) => run);

/** Throws `ApiError` for a name without a run. `upstreams`: by name. */
export function resolvedDependencies(
  { configuration }: RunSpec,
  upstreams: ReadonlyMap<string, RunRecord>,
): DependencyRecord[] {
  return (configuration.depends_on ?? []).map(({ run: name, on, keep }) => {
    const upstream = upstreams.get(name);
    if (upstream === undefined) {
      throw ruleError(`depends_on: the project has no run ${name}. Submit it first`);
    }
    return { upstreamId: upstream.id, name, on, keep, outcome: presentOutcome(upstream) };
  });
}

/** For a plan: the runs that have not ended yet, as a note. Null: it does not wait. Throws what the submission would. */
export async function dependencyNote(
  deps: HttpDeps,
  project: ProjectRecord,
  spec: RunSpec,
): Promise<string | null> {
  const names = upstreamNames(spec);
  if (names.length === 0) return null;
  const found = await deps.store.runs.byNames(project.id, names);
  const open = resolvedDependencies(spec, new Map(found.map((run) => [run.name, run]))).filter(
    ({ outcome }) => outcome === null,
  );
  if (open.length === 0) return null;
  const ends = open.map(({ name, on }) => `${name} ${ENDS[on]}`).join(' and ');
  return `The run waits until ${ends}, and then for a place`;
}

const ENDS = { success: 'is done', end: 'has ended', failure: 'has failed' } as const;
