/** Messages of `GET /api/stream`: what changed in the caller's projects. Our addition. */
import type { Event } from './event.ts';
import type { Fleet } from './fleet.ts';
import type { Gateway } from './gateway.ts';
import type { Instance } from './instance.ts';
import type { ImagePullProgress } from './job.ts';
import type { Run } from './run.ts';
import type { Volume } from './volume.ts';

export const CHANGE_TYPES = [
  'run',
  'job',
  'instance',
  'fleet',
  'volume',
  'gateway',
  'project',
  'user',
  'event',
  'pull',
  'metrics',
] as const;

export type ChangeType = (typeof CHANGE_TYPES)[number];

/** The submission that a message is about. */
export interface ChangedJob {
  readonly run_id: string;
  readonly run_name: string;
  readonly replica_num: number;
  readonly job_num: number;
  readonly submission_num: number;
  readonly status: string;
}

interface Shapes {
  /** The run that `runs/list` returns, with the newest submission of each job. */
  readonly run: Run;
  readonly job: ChangedJob;
  readonly instance: Instance;
  readonly fleet: Fleet;
  readonly volume: Volume;
  readonly gateway: Gateway;
  /** `part`: `settings`, `members`, `backends`, `secrets`, `tokens`, `exports`, `imports` or `quotas`. */
  readonly project: { readonly part: string };
  /** `part`: `settings`, `keys` or `sessions`. */
  readonly user: { readonly part: string };
  readonly event: Event;
  /** Progress of the pull of a job's image; the id is the job submission's. */
  readonly pull: ChangedJob & { readonly progress: ImagePullProgress };
  /** New metrics of a job are stored; the id is the job submission's. */
  readonly metrics: ChangedJob;
}

interface Message<T extends ChangeType> {
  readonly type: T;
  /** Id of the record. */
  readonly id: string;
  /** Name of the record's project; null: it belongs to none, or to several. */
  readonly project: string | null;
  /** Rises with each change of the record; null: it has none, or something beside it has changed. */
  readonly version: number | null;
  /** The new state. Absent if it is large, or too much changes at once: then read the record. */
  readonly data?: Shapes[T];
}

export type ChangeMessage = { readonly [T in ChangeType]: Message<T> }[ChangeType];

/**
 * `ready`: the stream begins; `resumed` is false if it does not continue an earlier one.
 * `reset`: messages may be missing, so everything must be read again. `gap`: the client was too far
 * behind, or the server restarted. `access`: other projects are visible now.
 */
export type StreamNotice =
  | { readonly event: 'ready'; readonly resumed: boolean }
  | { readonly event: 'reset'; readonly reason: 'gap' | 'access' };
