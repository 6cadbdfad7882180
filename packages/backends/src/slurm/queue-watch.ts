/**
 * Reports changes of a cluster's jobs. The folders of jobs that are starting are looked at many times a
 * second, which costs Slurm nothing: agents and batch scripts leave files there. The queue is read when a
 * batch script has begun or ended or a connection to an agent has ended, and else rarely: a job that is known
 * to have started needs no further reading when its agent listens.
 */
import { BackendError } from '../base/errors.ts';
import { commentFrom } from './batch.ts';
import { handleOf } from './handles.ts';
import { filesScript, isExplained } from './job-files.ts';
import { holdsNodes, isStarted, type SlurmJob } from './job-state.ts';
import { beforeFolders, type JobTable, type QueueView } from './job-table.ts';
import type { LoginNode } from './login.ts';
import { filesDelay, queueDelay } from './watch-delays.ts';

export interface QueueWatchOptions {
  readonly cluster: string;
  readonly serverId: string;
  readonly login: Pick<LoginNode, 'script'>;
  readonly jobs: JobTable;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

type OnChange = (handleId: string) => void;

/** A job as far as changes of it matter. */
interface Seen {
  readonly text: string;
  readonly nodeCount: number;
  /** When it became so. */
  readonly since: number;
  /** It holds nodes or waits for them. */
  readonly isHeld: boolean;
  /** Its state will change soon. */
  readonly isMoving: boolean;
}

export class QueueWatch {
  readonly #options: QueueWatchOptions;
  readonly #listeners = new Set<OnChange>();
  #seen: ReadonlyMap<string, Seen> = new Map();
  /** Jobs that were submitted since the queue was read, with the time. */
  readonly #submitted = new Map<string, number>();
  #files = '';
  #readAt = 0;
  #lookedAt = 0;
  #failures = 0;
  #isWanted = true;
  /** A connection to an agent failed since the queue was read: there is a job, of whatever state. */
  #isDoubted = false;
  /** Until then the queue is read more often: something has ended. */
  #unsettledUntil = 0;
  #wake: () => void = () => {};

  constructor(options: QueueWatchOptions) {
    this.#options = options;
  }

  watch(onChange: OnChange): () => void {
    this.#listeners.add(onChange);
    if (this.#listeners.size === 1) {
      this.#options.jobs.onRead = (view) => this.#onView(view);
      this.#follow();
    }
    return () => {
      this.#listeners.delete(onChange);
      if (this.#listeners.size > 0) return;
      this.#options.jobs.onRead = null;
      this.#wake();
    };
  }

  onSubmitted(name: string): void {
    this.#submitted.set(name, this.#options.now());
    this.#wake();
  }

  /** A job may have ended: the connection to its agent has, or none can be made. */
  onDoubt(): void {
    const now = this.#options.now();
    this.#isDoubted = true;
    // Else attempts to connect in quick succession would read it as often.
    if (now >= this.#unsettledUntil) this.#isWanted = true;
    this.#unsettledUntil = now + UNSETTLED_MS;
    this.#wake();
  }

  async #follow(): Promise<void> {
    while (this.#listeners.size > 0) {
      const { queue, files } = this.#delays();
      await this.#sleep(Math.min(queue, files));
      if (this.#listeners.size === 0) return;
      const next = this.#delays();
      if (next.queue <= 0) await this.#readQueue();
      else if (next.files <= 0) await this.#lookAtFiles();
    }
  }

  /** Milliseconds from now; infinite = not needed. */
  #delays(): { readonly queue: number; readonly files: number } {
    const now = this.#options.now();
    const ages = this.#moving().map(([, since]) => now - since);
    const isHeld =
      this.#isDoubted ||
      this.#submitted.size > 0 ||
      [...this.#seen.values()].some((it) => it.isHeld);
    const { failures, isWanted } = { failures: this.#failures, isWanted: this.#isWanted };
    const isUnsettled = now < this.#unsettledUntil;
    return {
      queue: this.#readAt + queueDelay({ ages, isHeld, isWanted, isUnsettled, failures }) - now,
      files: this.#lookedAt + filesDelay(ages) - now,
    };
  }

  #moving(): readonly (readonly [name: string, since: number])[] {
    const seen = [...this.#seen].filter(([, { isMoving }]) => isMoving);
    return [...seen.map(([name, { since }]) => [name, since] as const), ...this.#submitted];
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = Number.isFinite(ms) ? setTimeout(resolve, Math.max(0, ms)).unref() : undefined;
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #lookAtFiles(): Promise<void> {
    this.#lookedAt = this.#options.now();
    try {
      const before = this.#files;
      const { stdout } = await this.#options.login.script(
        filesScript(
          this.#moving().map(([name]) => name),
          before,
        ),
      );
      const [files, folders] = beforeFolders(stdout);
      if (files === before || folders === null) return;
      this.#files = files;
      const known = new Set(before.split('\n'));
      const added = files.split('\n').filter((file) => !known.has(file));
      const view = this.#options.jobs.withFolders(folders);
      if (view !== null) this.#compare(view);
      if (!added.every((file) => view && isExplained(file, view))) this.#isWanted = true;
    } catch (error) {
      // Reading the queue meets the same error, and waits longer each time.
      if (!(error instanceof BackendError)) throw error;
      this.#isWanted = true;
    }
  }

  async #readQueue(): Promise<void> {
    const submitted = [...this.#submitted.keys()];
    this.#isWanted = false;
    this.#readAt = this.#options.now();
    try {
      await this.#options.jobs.view();
      for (const name of submitted) this.#submitted.delete(name);
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      this.#failures++;
    }
  }

  /** Called with each reading of the queue, whether by this watch or for a question about a job. */
  #onView(view: QueueView): void {
    const now = this.#options.now();
    // Connections to agents failed meanwhile, and are tried again when their jobs are reported.
    const wasAway = this.#failures > 0;
    this.#failures = 0;
    this.#isDoubted = false;
    this.#readAt = now;
    this.#compare(view, wasAway);
    this.#wake();
  }

  #compare(view: QueueView, isAllReported = false): void {
    const before = this.#seen;
    const now = this.#options.now();
    this.#seen = new Map(
      [...view.jobs.values()]
        .filter(({ comment }) => commentFrom(comment)?.owner.server === this.#options.serverId)
        .map((job) => [job.name, seenOf(job, { view, now, before: before.get(job.name) })]),
    );
    for (const name of new Set([...before.keys(), ...this.#seen.keys()])) {
      const [old, present] = [before.get(name), this.#seen.get(name)];
      if (old?.text === present?.text && !isAllReported) continue;
      this.#report(name, Math.max(old?.nodeCount ?? 1, present?.nodeCount ?? 1));
    }
  }

  #report(name: string, nodeCount: number): void {
    const { cluster } = this.#options;
    for (let rank = 0; rank < nodeCount; rank++) {
      const { id } = handleOf({ name, rank, cluster });
      for (const onChange of this.#listeners) onChange(id);
    }
  }
}

/** A job that ends leaves Slurm's table of running ones some seconds after its agent. */
const UNSETTLED_MS = 5000;

interface SeenBefore {
  readonly view: QueueView;
  readonly now: number;
  readonly before: Seen | undefined;
}

function seenOf(job: SlurmJob, { view, now, before }: SeenBefore): Seen {
  const { state, reason, partition, nodes, nodeCount, name } = job;
  // The queue is read before the agents of a job matter.
  const listening = isStarted(job) ? (view.tunnels.get(name)?.size ?? 0) : 0;
  const text = [state, reason, partition, nodes, listening, view.folders.has(name)].join('|');
  const isHeld = holdsNodes(job);
  const isMoving = isHeld && listening < nodeCount;
  return { text, nodeCount, isHeld, isMoving, since: before?.text === text ? before.since : now };
}
