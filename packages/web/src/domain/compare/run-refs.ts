/** A run as addresses name it: by its id, or by its name, which newer runs may have too. */
export interface RunRef {
  readonly project: string;
  readonly ref: string;
}

export const FEWEST_COMPARED = 2;
/** More columns cannot be read beside each other. */
export const MOST_COMPARED = 6;

/** `main/train,research/4f…`, for `?runs=`. */
export function runRefs(runs: readonly RunRef[]): string {
  return runs.map(({ project, ref }) => `${project}/${ref}`).join(',');
}

/** The runs that the address names, each once; those without a project are of `project`. */
export function parseRunRefs(text: string, project: string | null): readonly RunRef[] {
  const refs = new Map<string, RunRef>();
  for (const part of text.split(',')) {
    const slash = part.indexOf('/');
    const ref: RunRef = {
      project: slash < 0 ? (project ?? '') : part.slice(0, slash).trim(),
      ref: part.slice(slash + 1).trim(),
    };
    if (ref.ref !== '') refs.set(runRefs([ref]), ref);
  }
  return [...refs.values()].slice(0, MOST_COMPARED);
}
