/**
 * The jobs of dstack in a cluster's queue. One question is asked for all of them: calls that come
 * while it is under way share its answer or that of the next one.
 */

import { AGENT_FOLDER, JOBS, TUNNEL_FILE, type TunnelPlace, tunnelPlace } from './folders.ts';
import { isJobName } from './job-name.ts';
import { parseJobs, type SlurmJob, SQUEUE_FORMAT } from './job-state.ts';
import type { LoginNode } from './login.ts';

/** Contents of the jobs' folders. */
export interface FoldersView {
  /** Where the agents listen, by job name and number of the node. */
  readonly tunnels: ReadonlyMap<string, ReadonlyMap<number, TunnelPlace>>;
  /** Names of the jobs whose folder is there: it is removed when a job is released. */
  readonly folders: ReadonlySet<string>;
}

export interface QueueView extends FoldersView {
  /** The newest job of each name; those that ended some minutes ago are forgotten by Slurm. */
  readonly jobs: ReadonlyMap<string, SlurmJob>;
}

const DIVIDER = 'dstack-folders';
/**
 * Finds the tunnel files of agents. Jobs can write there too: only files of at most 512 bytes count, and
 * the first line of each.
 */
const TUNNEL_FILES = [
  `find ${JOBS} -mindepth 3 -maxdepth 3 -path '*/${AGENT_FOLDER}/*' -type f -size -2`,
  `-name '${TUNNEL_FILE}.[0-9]*' ! -name '${TUNNEL_FILE}.*[!0-9]*' ! -name '${TUNNEL_FILE}.?????*'`,
  '2>/dev/null',
].join(' ');

/** In a script: prints the folders of jobs, and where their agents listen. */
export const FOLDERS_SCRIPT = [
  `echo ${DIVIDER}`,
  `for folder in ${JOBS}/*; do printf '%s\\n' "$folder"; done`,
  // A folder may be removed meanwhile.
  `{ ${TUNNEL_FILES} || true; } | while IFS= read -r file; do`,
  '  line=; { IFS= read -r line < "$file"; } 2>/dev/null || true',
  `  printf '%s %s\\n' "$file" "$line"`,
  'done',
].join('\n');

/** It starts the same number of programs, however many jobs there are. */
const SCRIPT = [
  'set -e',
  // With all states, so that a job that has just ended is not missing.
  `squeue -h -t all -u "$(id -un)" -o ${JSON.stringify(SQUEUE_FORMAT)}`,
  FOLDERS_SCRIPT,
].join('\n');

/** Splits off the list of folders that ends the output of a script; `folders` is null if there is none. */
export function beforeFolders(
  output: string,
): readonly [before: string, folders: FoldersView | null] {
  const at = output.indexOf(`${DIVIDER}\n`);
  if (at < 0) return [output, null];
  const lines = output.slice(at + DIVIDER.length + 1);
  const folders = lines.split('\n').map((line) => line.slice(line.lastIndexOf('/') + 1));
  return [output.slice(0, at), { tunnels: tunnelsIn(lines), folders: new Set(folders) }];
}

export class JobTable {
  readonly #login: LoginNode;
  #asking: Promise<QueueView> | null = null;
  #next: Promise<QueueView> | null = null;
  #latest: QueueView | null = null;
  /** Read since the question under way was asked. */
  #newerFolders: FoldersView | null = null;
  #changes = 0;
  #onRead: ((view: QueueView) => void) | null = null;

  constructor(login: LoginNode) {
    this.#login = login;
  }

  /**
   * Null: the queue is not read when it may have changed. Otherwise the listener receives each view: a job
   * that another server has submitted is known by the first question about it.
   */
  set onRead(listener: ((view: QueueView) => void) | null) {
    this.#onRead = listener;
  }

  /** The last view, if it contains the job and its changes are watched. */
  async viewOf(name: string): Promise<QueueView> {
    const latest = this.#onRead ? this.#latest : null;
    return latest?.jobs.has(name) ? latest : await this.view();
  }

  /** This server has changed the queue: what was read before does not apply any more. */
  changed(): void {
    this.#latest = null;
    this.#changes++;
  }

  /** The last view with what the folders contain now; null = the queue must be read. */
  withFolders(folders: FoldersView): QueueView | null {
    this.#newerFolders = folders;
    if (this.#latest !== null) this.#latest = { ...this.#latest, ...folders };
    return this.#latest;
  }

  /** Returns the queue at a moment after this call was made. */
  async view(): Promise<QueueView> {
    if (this.#asking === null) return await this.#ask();
    // The question under way may have been answered before the caller's change.
    this.#next ??= this.#asking.then(
      () => this.#ask(),
      () => this.#ask(),
    );
    return await this.#next;
  }

  #ask(): Promise<QueueView> {
    this.#next = null;
    const changes = this.#changes;
    const asking = this.#read()
      .then((view) => {
        if (changes === this.#changes) this.#latest = view;
        this.#onRead?.(view);
        return view;
      })
      .catch((error: unknown) => {
        this.#latest = null;
        throw error;
      })
      .finally(() => {
        if (this.#asking === asking) this.#asking = null;
      });
    this.#asking = asking;
    return asking;
  }

  async #read(): Promise<QueueView> {
    this.#newerFolders = null;
    const output = this.#login.checked('squeue', await this.#login.script(SCRIPT));
    const [queue, read] = beforeFolders(output);
    const folders = this.#newerFolders ??
      read ?? { tunnels: new Map(), folders: new Set<string>() };
    return { jobs: newestByName(parseJobs(queue)), ...folders };
  }
}

function newestByName(jobs: readonly SlurmJob[]): ReadonlyMap<string, SlurmJob> {
  const byName = new Map<string, SlurmJob>();
  for (const job of jobs) {
    const other = byName.get(job.name);
    if (isJobName(job.name) && !(other && Number(other.id) > Number(job.id))) {
      byName.set(job.name, job);
    }
  }
  return byName;
}

function tunnelsIn(lines: string): FoldersView['tunnels'] {
  const tunnels = new Map<string, Map<number, TunnelPlace>>();
  for (const line of lines.split('\n')) {
    const space = line.indexOf(' ');
    const [file = '', , name = ''] = line.slice(0, space).split('/').reverse();
    const rank = Number(file.slice(TUNNEL_FILE.length + 1));
    const place = tunnelPlace(line.slice(space + 1));
    if (!place || !isJobName(name) || !Number.isInteger(rank)) continue;
    tunnels.set(name, (tunnels.get(name) ?? new Map<number, TunnelPlace>()).set(rank, place));
  }
  return tunnels;
}
