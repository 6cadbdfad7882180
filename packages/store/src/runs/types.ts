import type { PullProgress } from '@dstack/contract/agent';
import type {
  ArrayRecord,
  DependencyRecord,
  Id,
  JobRecord,
  JobStage,
  NewEvent,
  RunRecord,
  RunStatus,
  Timestamp,
} from '@dstack/core';
import type { MemberPlace } from '../arrays/member-names.ts';
import type { Page } from '../base/page.ts';
import type { KeptBackView } from './kept-back.ts';

/** A run with everything that the wire's `Run` contains. */
export interface RunView {
  readonly run: RunRecord;
  /** The array, if this is its run: some of its members are shown as its `jobs`. */
  readonly array?: ArrayRecord;
  readonly projectName: string;
  readonly userName: string;
  readonly fleet: { readonly id: Id; readonly name: string } | null;
  /** By replica, job, submission number; empty if they were not requested. */
  readonly jobs: readonly JobRecord[];
  /** Success streaks by probe number, per job id; jobs without probes are absent. */
  readonly probes: Readonly<Record<Id, readonly number[]>>;
  /** Pulls under way, per job id. */
  readonly pulls: Readonly<Record<Id, PullProgress>>;
  /** The stages of stops, and of machines that jobs wait for; per job id. */
  readonly stages: Readonly<Record<Id, JobStage>>;
  /** Micro-dollars up to now, of time with a known price; 0 if jobs were not requested. */
  readonly cost: number;
}

export interface RunFilter {
  /** Null = all projects that are not deleted. */
  readonly projectIds: readonly Id[] | null;
  readonly userId?: Id | null;
  /** The `repo_id` of the spec. */
  readonly repoId?: string | null;
  /** Only unfinished ones; without it deleted ones are listed too. */
  readonly onlyActive?: boolean;
  /** Only failed ones that were not deleted. */
  readonly onlyFailed?: boolean;
  /** The members of this array; omitted: runs that are in no array. */
  readonly arrayId?: Id;
  /** Only in this status. */
  readonly status?: RunStatus | null;
  readonly includeJobs?: boolean;
  /** Newest submissions per job; 0 = none, undefined = all. */
  readonly submissionsLimit?: number;
  readonly page?: Page;
}

export interface RunCount {
  readonly projectId: Id;
  readonly userId: Id;
  readonly status: RunStatus;
  readonly count: number;
}

/** Writing goes through `store.engine`. */
export interface Runs {
  list(filter: RunFilter): Promise<RunView[]>;
  /** Also deleted ones; all submissions. */
  byId(id: Id): Promise<RunView | null>;
  /** Also deleted ones, in no order; the newest submission of each job. */
  viewsByIds(ids: readonly Id[]): Promise<RunView[]>;
  /** Not deleted; all submissions. */
  byName(projectId: Id, name: string): Promise<RunView | null>;
  /** Not deleted, without jobs. */
  byNames(projectId: Id, names: readonly string[]): Promise<RunRecord[]>;
  /** Unfinished runs of a project, without jobs. */
  active(projectId: Id): Promise<RunRecord[]>;
  /** The runs that it waits for, or has waited for. */
  dependencies(id: Id): Promise<DependencyRecord[]>;
  /** The oldest runs that a person holds or that depend on others, and the number of all. */
  keptBack(
    projectId: Id,
    limit: number,
  ): Promise<{ readonly runs: readonly KeptBackView[]; readonly total: number }>;
  /** All members of an array that are born, without order. */
  members(arrayId: Id): Promise<readonly { readonly index: number; readonly status: RunStatus }[]>;
  /** Null: the run is not that of an array. */
  arrayOf(id: Id): Promise<ArrayRecord | null>;
  /** Marks up to `limit` members of an ended array deleted, those after the given one; see `deleteSomeMembers`. */
  deleteMembers(arrayId: Id, after: MemberPlace | null, limit: number): Promise<MemberPlace | null>;
  /** Marks finished runs deleted, arrays with their members; none if one of them is active. Unknown names are ignored. */
  delete(
    projectId: Id,
    names: readonly string[],
    event: (run: RunRecord) => NewEvent,
  ): Promise<
    | { readonly type: 'deleted'; readonly runs: readonly RunRecord[] }
    | { readonly type: 'active'; readonly names: readonly string[] }
  >;
  /** Which of the names unfinished runs of the project have. */
  unfinishedNames(projectId: Id, names: readonly string[]): Promise<readonly string[]>;
  /** Unfinished runs per project, user and status. */
  unfinishedCounts(): Promise<readonly RunCount[]>;
  /**
   * The same of those that ended in [from, until), deleted ones included: of about `limit` of them, which end before `next`;
   * null: of all.
   */
  endedCounts(
    from: Timestamp,
    until: Timestamp,
    limit: number,
  ): Promise<{ readonly counts: readonly RunCount[]; readonly next: Timestamp | null }>;
  /** Number of unfinished runs per status. Null = all projects that are not deleted. */
  activeCounts(
    projectIds: readonly Id[] | null,
  ): Promise<readonly Pick<RunCount, 'status' | 'count'>[]>;
  /** Runs of services that a gateway serves: not deleted, neither finished nor terminating. */
  onGateway(gatewayId: Id): Promise<RunRecord[]>;
  /**
   * Calls the listener when another server on the database has written events about this run or its
   * jobs. Returns a function that removes the listener.
   */
  onChangedElsewhere(listener: (runId: Id) => void): () => void;
  /** When the newest job of the project was submitted, if any. */
  lastSubmittedAt(projectId: Id): Promise<Timestamp | null>;
}
