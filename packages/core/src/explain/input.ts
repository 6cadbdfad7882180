/** The input of explanations, read in one transaction. */
import type {
  DecisionContext,
  DependencyRecord,
  Id,
  Occupant,
  PlacementSnapshot,
  RunRecord,
  RunSnapshot,
} from '../model/index.ts';
import type { OffersWanted } from '../placement/place/new-capacity.ts';

/** The fields of a run that the explanations of other runs show. */
export type NamedRun = Pick<RunRecord, 'id' | 'name' | 'projectId' | 'priority' | 'submittedAt'>;

/** A run with blocks of an instance claimed. */
export interface BlockHolder {
  readonly instanceId: Id;
  readonly run: NamedRun;
  readonly blocks: number;
}

/** The position of a gang within its demand class in its project. */
export interface QueuePlace {
  /** The gang's first job. */
  readonly jobId: Id;
  /** How many gangs are ahead, and the first of them. */
  readonly ahead: number;
  readonly first: readonly NamedRun[];
}

/** A run that the subject waits for, itself or through others, with what it waits for in turn. */
export interface UpstreamRun {
  readonly run: Pick<RunRecord, 'id' | 'name' | 'status' | 'hold' | 'dependencyState'>;
  readonly dependencies: readonly DependencyRecord[];
}

/** A run with all capacity that it could be placed on, whether or not it waits. */
export interface ExplainedRun {
  readonly run: RunSnapshot;
  readonly queue: PlacementSnapshot;
  /** See `forecastQueue`. */
  readonly guesses?: readonly Occupant[];
  /** Places in the queue of the jobs that `examinedJobs` selects. */
  readonly places: readonly QueuePlace[];
  /** Holders of the instances that an explanation shows. */
  readonly holders: readonly BlockHolder[];
  /** The runs that it depends on, as far as they still exist. */
  readonly upstreams: readonly UpstreamRun[];
  /** Project names by id, for all runs in this input. */
  readonly projectNames: Readonly<Record<Id, string>>;
}

/** The projects that the caller is a member of; null = all. Runs of others are not named. */
export interface Viewer {
  readonly projects: ReadonlySet<Id> | null;
}

export interface ExplainContext extends Pick<DecisionContext, 'now' | 'unobserved' | 'settings'> {
  readonly viewer: Viewer;
}

/** An explanation, and the offers still needed to complete it. */
export interface Answerable<E> {
  readonly explanation: E;
  readonly wanted: readonly OffersWanted[];
}
