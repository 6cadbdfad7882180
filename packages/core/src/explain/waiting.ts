/** Diagnoses a gang without a place: rows, reasons and one sentence. */
import { type ExplainRule, type Refusal, refusalText } from '@dstack/contract/wire';
import type { Gang, Id, JobRecord } from '../model/index.ts';
import type { Forecast } from '../placement/forecast.ts';
import { leavesBy } from '../placement/leaving.ts';
import type { GangLook } from '../placement/look-ahead.ts';
import { candidateFleets } from '../placement/place/choose-fleet.ts';
import { fleetName } from '../placement/place/refusals.ts';
import { instantText } from '../time/instant-text.ts';
import { fleetClauses } from './clauses.ts';
import { consideredRows, type Surroundings } from './considered.ts';
import { type Ahead, type Reason, type Row, reason } from './diagnosis.ts';
import type { NamedRun, QueuePlace } from './input.ts';
import type { Names } from './names.ts';
import { reasonsOf } from './reasons.ts';

/** A waiting gang and the result of looking for a place. */
export interface Waiting {
  readonly look: GangLook;
  readonly place: QueuePlace | null;
  readonly rows: readonly Row[];
  /** The most useful first; their `part` is the gang's first job. */
  readonly reasons: readonly Reason[];
  /** The reasons as one text, the end of `train waits: …`. */
  readonly text: string;
  /** The configuration can stay: the gang gets a place once something is free or a fleet exists. */
  readonly isPossible: boolean;
  readonly ahead: readonly Ahead[];
  /** When it is expected to start; null = it does not wait, or nothing is known of any gang. */
  readonly forecast: Forecast | null;
}

export function waitingOf(
  look: GangLook,
  place: QueuePlace | null,
  around: Surroundings,
  forecast: Forecast | null = null,
): Waiting {
  const rows = consideredRows(look, around);
  const ahead = aheadOf(look, place, around);
  const cause = causeOf(look, place, rows, ahead);
  const preempting = preemptingReasons(look, around);
  const first = look.gang.jobs[0];
  const since = first?.waitingSince ?? first?.submittedAt ?? null;
  const reasons = [...preempting, ...cause.reasons, ...shareReasons(look)].map((one) => ({
    ...one,
    part: first?.name ?? null,
    since,
  }));
  const { option, refusal } = look;
  const isPossible =
    option !== null ||
    refusal?.kind !== 'no-place' ||
    refusal.fleets.some((fleet) => fleet.verdict === 'full');
  const text = [...preempting.map((one) => one.text), cause.text].join('; ');
  return { look, place, rows, ahead, reasons, text, isPossible, forecast };
}

/** Others have to leave for it, or will. */
function preemptingReasons({ gang, ledger, option }: GangLook, around: Surroundings): Reason[] {
  const { run, jobs } = gang;
  const asked = jobs[0]?.reclaim ?? null;
  if (asked === null || option !== null) return [];
  const leaving = around.holders.filter((one) => asked.runs.includes(one.run.id));
  const names = around.names.runs(leaving.map((one) => one.run));
  if (names === null) {
    const text =
      'what it is entitled to is used by jobs that have not run long enough to have to leave, or are ending';
    return [reason('preempting', text)];
  }
  const ends = (ledger.snapshot.claims ?? []).flatMap(({ eviction }) =>
    eviction?.runId === run.id ? [leavesBy(eviction)] : [],
  );
  const until = ends.length === 0 ? null : Math.max(...ends);
  const by = until === null ? '' : `, by ${instantText(until)} at the latest`;
  const verb = new Set(leaving.map((one) => one.run.id)).size === 1 ? 'has' : 'have';
  return [reason('preempting', `${names} ${verb} to leave for it${by}`, { has: names, until })];
}

/** In a pool that is shared by weight, whom it comes behind because of what was used. */
function shareReasons({ ledger: { shares }, gang: { run }, ahead }: GangLook): Reason[] {
  if (shares === null) return [];
  const { projectId, userId, priority } = run;
  const others = ahead.filter((one) => one.run.projectId !== projectId);
  const own = ahead.filter(
    (one) => !others.includes(one) && one.run.userId !== userId && one.run.priority === priority,
  );
  const used = (user: Id | null) => {
    const weight = shares.weightOf(projectId, user);
    const hours = (shares.ratioOf(projectId, user) * weight).toFixed(1);
    return `${hours} GPU hours for ${user === null ? 'its' : 'his'} weight ${weight}`;
  };
  const texts = [
    others.length > 0 &&
      `runs of projects that have used less for their weight come first: this one has used ${used(null)}`,
    own.length > 0 &&
      `runs of users who have used less for their weight come first: the user of this one has used ${used(userId)}`,
  ];
  return texts.filter((text) => text !== false).map((text) => reason('share', text));
}

interface Cause {
  readonly reasons: readonly Reason[];
  readonly text: string;
}

function causeOf(
  look: GangLook,
  place: QueuePlace | null,
  rows: readonly Row[],
  ahead: readonly Ahead[],
): Cause {
  if (look.option) return withPlace(look, place);
  const { refusal } = look;
  if (refusal?.kind !== 'no-place') return withoutFleets(refusal, rows);
  const names = [...new Set(rows.map((one) => one.fleet))].filter((name) => name !== null);
  const isService = look.gang.run.spec.configuration.type === 'service';
  const parts = isService ? 'replicas' : 'nodes';
  const nodes = refusal.nodes > 1 ? [`${refusal.nodes} ${parts} are needed at once`] : [];
  const others = ahead.length > 0 && place !== null && place.ahead > 0 ? [aheadText(place)] : [];
  const text = [...nodes, ...fleetClauses(names, rows), ...others].join('; ');
  return { reasons: reasonsOf(rows), text };
}

const aheadText = ({ ahead }: QueuePlace): string =>
  ahead === 1
    ? 'one run that asks for the same is ahead'
    : `${ahead} runs that ask for the same are ahead`;

/** A pass examines only the first gangs of a class; unexamined ones may be ahead of this one. */
function withPlace({ option, ahead, gang }: GangLook, place: QueuePlace | null): Cause {
  const demand = gang.jobs[0]?.demand ?? null;
  const seen = ahead.filter((one) => one.jobs[0]?.demand === demand).length;
  if (place !== null && place.ahead > seen) {
    const text = `${aheadText(place)}, and are placed first`;
    return { reasons: [reason('queue', text, { count: place.ahead })], text };
  }
  const text = `is about to get a place in fleet ${option?.fleet.name ?? ''}`;
  return { reasons: [reason('placing', text)], text };
}

function withoutFleets(refusal: Refusal | null, rows: readonly Row[]): Cause {
  const [rule, asked, text] = fleetlessRule(refusal);
  if (refusal?.kind === 'volume' || refusal?.kind === 'quota') {
    return { reasons: [reason(rule, text, { asked })], text };
  }
  const others = reasonsOf(rows).filter((one) => one.rule !== 'other_fleet');
  return { reasons: [reason(rule, text, { asked }), ...others], text };
}

function fleetlessRule(refusal: Refusal | null): [ExplainRule, string | null, string] {
  switch (refusal?.kind) {
    case 'fleets-missing': {
      const names = refusal.names.join(', ');
      return ['fleets_missing', names, `no fleet of the project is named ${names}`];
    }
    case 'fleet-deleted':
      return ['fleet_deleted', null, 'the fleet in which the run is was deleted'];
    case 'quota':
      return ['quota', null, refusalText(refusal)];
    case 'volume':
      return ['volumes', refusal.name, refusalText(refusal)];
    default:
      return ['no_fleets', null, 'the project has no fleet'];
  }
}

/** Runs ahead of it in its class, and runs with reservations on capacity that it could use. */
function aheadOf(look: GangLook, place: QueuePlace | null, around: Surroundings): Ahead[] {
  const found = new Map<string, Ahead>();
  const add = (run: NamedRun, keeps: string | null) => {
    if (run.id === look.gang.run.id) return;
    const known = found.get(run.id);
    if (known && (known.keeps !== null || keeps === null)) return;
    found.set(run.id, aheadRun(run, keeps, around.names));
  };
  const { ledger } = look;
  for (const fleet of candidateFleets(ledger, look.request)) {
    const name = fleetName(look.ledger, fleet, look.request);
    for (const run of ledger.growersOf(fleet.id)) add(run, name);
    for (const instance of ledger.instancesOf(fleet.id)) {
      for (const run of ledger.takersOf(instance)) add(run, name);
    }
  }
  for (const run of place?.first ?? []) add(run, null);
  return [...found.values()].slice(0, AHEAD_NAMED);
}

const AHEAD_NAMED = 10;

function aheadRun(run: NamedRun, keeps: string | null, names: Names): Ahead {
  const isVisible = names.isVisible(run);
  return {
    run: isVisible ? run.name : names.run(run),
    project: names.projectOf(run),
    priority: isVisible ? run.priority : null,
    since: isVisible ? run.submittedAt : null,
    keeps,
  };
}

/** Whether the job belongs to the gang. */
export const isGangOf =
  (job: JobRecord) =>
  ({ run, jobs }: Gang): boolean =>
    run.id === job.runId && jobs[0]?.replicaNum === job.replicaNum;
