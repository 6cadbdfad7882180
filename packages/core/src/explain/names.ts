/** Names of runs, as far as the caller may see them. */
import { HIDDEN_RUN } from '@dstack/contract/wire';
import type { Id } from '../model/index.ts';
import type { NamedRun, Viewer } from './input.ts';

/** A machine or a gateway may serve hundreds of runs. */
const RUNS_NAMED = 10;

export class Names {
  readonly #projectId: Id;
  readonly #projectNames: Readonly<Record<Id, string>>;
  readonly #viewer: Viewer;

  /** `projectId`: of the subject; runs of that project are named without it. */
  constructor(projectId: Id, projectNames: Readonly<Record<Id, string>>, viewer: Viewer) {
    this.#projectId = projectId;
    this.#projectNames = projectNames;
    this.#viewer = viewer;
  }

  isVisible({ projectId }: Pick<NamedRun, 'projectId'>): boolean {
    const { projects } = this.#viewer;
    return projectId === this.#projectId || projects === null || projects.has(projectId);
  }

  isOwn({ projectId }: Pick<NamedRun, 'projectId'>): boolean {
    return projectId === this.#projectId;
  }

  /** Null for the subject's own project, and for projects that the caller may not see. */
  projectOf(run: Pick<NamedRun, 'projectId'>): string | null {
    if (this.isOwn(run) || !this.isVisible(run)) return null;
    return this.#projectNames[run.projectId] ?? null;
  }

  run(run: NamedRun): string {
    if (!this.isVisible(run)) return HIDDEN_RUN;
    const project = this.projectOf(run);
    return project === null ? run.name : `${project}/${run.name}`;
  }

  /** Distinct names in their order, the first of them if there are many; null if there are none. */
  runs(runs: readonly NamedRun[]): string | null {
    const names = [...new Set(runs.map((run) => this.run(run)))];
    if (names.length === 0) return null;
    const more = names.length - RUNS_NAMED;
    return `${names.slice(0, RUNS_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  }
}
