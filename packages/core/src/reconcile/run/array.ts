/**
 * The run of an array. It has no jobs: it lets members be born as the window moves, hands requests on to
 * them, and ends with the last of them. The cost of a pass does not grow with the number of members.
 */
import { runTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import type {
  ArraySnapshot,
  Decision,
  RunSnapshot,
  RunTerminationReason,
} from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { arrayOf, directiveOf, indexesOf, memberRun } from '../../run-spec/array-member.ts';
import {
  aliveMembers,
  endedMembers,
  isRunActive,
  isRunAlive,
  isRunPending,
  isRunRunning,
  isRunSubmitted,
  isRunTerminating,
  MOST_WAITING_MEMBERS,
  waitingMembers,
} from '../../status/index.ts';
import { awaitsOthers } from './dependencies.ts';
import { settleEndedRun } from './end-run.ts';
import { runDecision } from './run-decision.ts';
import { type RunContext, RunPass } from './run-pass.ts';

/** The most members that are born in one pass; passes of other runs come between two of them. */
const BIRTHS = 50;

/** How often members that have not obeyed yet get another signal, in case the first was lost. */
const AGAIN = SECOND;

export function reconcileArray(
  snapshot: RunSnapshot,
  array: ArraySnapshot,
  ctx: RunContext,
): Decision {
  const pass = new RunPass(snapshot, ctx);
  pass.draft.beginRound();
  begin(pass, array);
  if (isRunAlive(pass.run.status)) follow(pass, array);
  obeyHold(pass);
  if (isRunTerminating(pass.run.status) && aliveMembers(array.members) === 0) {
    settleEndedRun(pass);
    pass.draft.array(array.id, { isOpen: false });
  } else if (!direct(pass, array)) {
    remind(pass, array);
    if (isRunActive(pass.run.status) && pass.run.hold === null) bear(pass, array);
  }
  return runDecision(pass, 1);
}

/** A held array begins with a member that was released alone. */
function begin(pass: RunPass, { members }: ArraySnapshot): void {
  if (!isRunPending(pass.run.status)) return;
  const isKept = pass.run.hold !== null ? members.running === 0 : awaitsOthers(pass);
  if (!isKept) pass.moveRun('submitted');
}

/** A held array waits outside the queue; one with members that run goes on with these alone. */
function obeyHold(pass: RunPass): void {
  if (pass.run.hold !== null && isRunSubmitted(pass.run.status)) pass.moveRun('pending');
}

/**
 * Its status only advances: that some of its members wait again is shown by their number. One that does not begin ends
 * when users have stopped every single member.
 */
function follow(pass: RunPass, { members, total, maxFailures }: ArraySnapshot): void {
  const { status } = pass.run;
  const hasRun = members.running + members.terminating + endedMembers(members) > 0;
  if (hasRun && isRunActive(status) && !isRunRunning(status)) pass.moveRun('running');
  else if (members.provisioning > 0 && isRunSubmitted(status)) pass.moveRun('provisioning');
  if (endedMembers(members) < total) return;
  pass.endRun(verdict(members, maxFailures));
}

function verdict(members: ArraySnapshot['members'], maxFailures: number): RunTerminationReason {
  if (members.failed > maxFailures) return 'job_failed';
  // Users have stopped every single one.
  return members.done + members.failed === 0 ? 'stopped_by_user' : 'all_jobs_done';
}

/** Gives a request of a user on to the members; returns whether there was a new one. */
function direct(pass: RunPass, array: ArraySnapshot): boolean {
  const { id, generation, directive } = array;
  const wanted = directiveOf(pass.run, array);
  if (JSON.stringify(wanted) === JSON.stringify(directive)) return false;
  pass.draft.array(id, { directive: wanted, generation: generation + 1 });
  pass.draft.runs.guard(id);
  // The next pass finds the members that it concerns.
  pass.draft.signal('run', id);
  return true;
}

function bear(pass: RunPass, array: ArraySnapshot): void {
  const { run, now } = pass;
  const spec = arrayOf(run.spec);
  if (spec === null) return;
  const indexes = indexesOf(spec);
  const room = roomFor(array);
  const births = Math.min(room, BIRTHS);
  let position = array.nextPosition;
  let born = 0;
  for (; position < indexes.length && born < births; position++) {
    const index = indexes[position] ?? 0;
    if (array.early.includes(index)) continue;
    // Lists order by this time, and by ids where it is equal.
    const at = now + born;
    const member = memberRun(run, index, { now: at, generation: array.generation });
    pass.draft.bear(member);
    pass.draft.event(
      recordEvent({
        action: 'run.submitted',
        data: { status: member.status },
        targets: [runTarget(member)],
      }),
    );
    pass.draft.signal('run', member.id);
    born++;
  }
  if (position === array.nextPosition) return;
  pass.draft.array(array.id, { nextPosition: position });
  pass.draft.runs.guard(array.id);
  if (position < indexes.length && born < room) pass.draft.signal('run', array.id);
}

/** How many more members may be born now. */
const roomFor = ({ maxParallel, members }: ArraySnapshot): number =>
  Math.min(maxParallel - aliveMembers(members), MOST_WAITING_MEMBERS - waitingMembers(members));

function remind(pass: RunPass, { behind }: ArraySnapshot): void {
  if (behind.length === 0) return;
  for (const id of behind) pass.draft.signal('run', id);
  pass.draft.dueAt(pass.now + AGAIN);
}
