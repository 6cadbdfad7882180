import type { KeptBackRun, QueuedRun, RunQueue } from '@dstack/contract/wire';

/** A run that waits for a place, or that is kept out of the queue, as the list shows it. */
export interface QueueRow {
  readonly key: string;
  /** Null: the run is kept out of the queue. */
  readonly place: number | null;
  /** Null: the reader may not see the run. */
  readonly id: string | null;
  readonly name: string;
  readonly replica: number | null;
  readonly project: string | null;
  readonly user: string | null;
  readonly nodes: number | null;
  readonly priority: number | null;
  readonly since: string | null;
  readonly expectedStart: string | null;
  readonly isAbout: boolean;
  readonly isReserved: boolean;
  readonly why: string | null;
  /** A person may let it into the queue. */
  readonly isReleasable: boolean;
}

/** The runs that wait, in the order of the queue. */
export function waitingRows({ runs }: RunQueue): readonly QueueRow[] {
  return runs.map(waitingRow);
}

function waitingRow(run: QueuedRun): QueueRow {
  return {
    key: run.run_id === null ? `hidden ${run.place}` : `${run.run_id} ${run.replica ?? ''}`,
    place: run.place,
    id: run.run_id,
    name: run.run_id === null ? 'A run of another project' : run.run,
    replica: run.replica,
    project: run.project,
    user: run.user,
    nodes: run.nodes,
    priority: run.priority,
    since: run.since ?? run.submitted_at,
    expectedStart: run.expected_start,
    isAbout: run.is_about,
    isReserved: run.is_reserved,
    why: run.why,
    isReleasable: false,
  };
}

/** The runs of a project that are in no queue, the oldest first. */
export function keptBackRows(project: string, { kept_back }: RunQueue): readonly QueueRow[] {
  return kept_back.map((run) => ({
    key: run.run_id,
    place: null,
    id: run.run_id,
    name: run.run,
    replica: null,
    project,
    user: run.user,
    nodes: null,
    priority: run.priority,
    since: run.hold?.since ?? run.submitted_at,
    expectedStart: null,
    isAbout: false,
    isReserved: false,
    why: keptBackText(run),
    isReleasable: run.hold !== null || run.is_unmet,
  }));
}

/** Names of runs in a text. */
const MOST_NAMES = 3;

function keptBackText({ hold, waits_for, is_unmet }: KeptBackRun): string {
  const texts = hold === null ? [] : [`Held by ${hold.by}`];
  if (is_unmet) texts.push('a run that it depends on has ended in another way');
  else if (waits_for.length > 0) {
    const names = waits_for.slice(0, MOST_NAMES).join(', ');
    const left = waits_for.length - MOST_NAMES;
    texts.push(`waits for ${names}${left > 0 ? ` and ${left} more` : ''}`);
  }
  const text = texts.join(', ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
