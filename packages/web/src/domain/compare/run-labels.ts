import type { Run } from '@dstack/contract/wire';

/** A name for each run that no other of them has: its own, with its project, or with its id. */
export function runLabels(runs: readonly Run[]): readonly string[] {
  const name = (run: Run) => run.run_spec.run_name ?? run.id;
  const inProject = (run: Run) => `${run.project_name}/${name(run)}`;
  return runs.map((run) => {
    const isAlone = (label: (one: Run) => string) =>
      runs.every((one) => one === run || label(one) !== label(run));
    if (isAlone(name)) return name(run);
    return isAlone(inProject) ? inProject(run) : `${inProject(run)} ${run.id.slice(0, 8)}`;
  });
}
