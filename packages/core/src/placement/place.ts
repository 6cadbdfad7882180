import type {
  Change,
  Decision,
  DecisionContext,
  Gang,
  JobRecord,
  PlacementSnapshot,
  RunRecord,
} from '../model/index.ts';
import { Draft } from '../reconcile/draft.ts';
import { moveJob } from '../reconcile/moves.ts';
import { assignExisting, assignNew } from './assign.ts';
import { Board } from './board.ts';
import { chooseFleet } from './choose-fleet.ts';
import type { FleetOption } from './fleet-option.ts';
import { gangRequest } from './gang-request.ts';
import type { Ask } from './new-seats.ts';
import type { BackendOffers } from './offers-wanted.ts';
import { claimSeats, placeable } from './placeable.ts';
import { waitingRequest } from './waiting.ts';
import { localOnly } from './wants-offers.ts';

/**
 * One pass over a project's waiting work, in the order of the snapshot: each gang gets a place for
 * all of its jobs, on existing instances where they suffice, or none. Nobody waits behind a gang
 * that cannot be placed: its jobs end for lack of capacity, and retrying is the run's matter.
 */
export function place(
  snapshot: PlacementSnapshot,
  offers: BackendOffers,
  ctx: DecisionContext,
): Decision {
  const board = new Board(snapshot, ctx.settings);
  const ask: Ask = (question) => offers.get(question.key) ?? [];
  const gangs = placeable(snapshot.gangs);
  const jobs = gangs.flatMap((gang) => gang.jobs);
  const draft = new Draft({ jobs, instances: snapshot.instances }, ctx);
  const runs: Change[] = [];
  const counts = { gangs: gangs.length, placed: 0, refused: 0, hinted: 0 };
  for (const gang of gangs) {
    const option = chooseFleet(board, gangRequest(gang), ask);
    if ('message' in option) {
      refuse(draft, gang.jobs, option.message);
      counts.refused += 1;
    } else {
      if (board.fleetOfRun(gang.run) === null) runs.push(fleetChange(gang.run, option));
      settle(draft, board, gang, option, ctx);
      counts.placed += 1;
    }
    draft.signal('run', gang.run.id);
  }
  counts.hinted = hintWaiting(draft, board, snapshot.waiting, ask);
  return {
    changes: [...runs, ...draft.changes()],
    signals: draft.signals(),
    summary: counts,
  };
}

function fleetChange(run: RunRecord, option: FleetOption): Change {
  const set = { fleetId: option.fleet.id };
  return { type: 'run.update', id: run.id, version: run.version, set };
}

function settle(
  draft: Draft,
  board: Board,
  gang: Gang,
  option: FleetOption,
  ctx: DecisionContext,
): void {
  board.setFleetOfRun(gang.run.id, option.fleet.id);
  for (const [index, job] of gang.jobs.entries()) {
    const seat = option.seats[index];
    if (seat?.kind === 'existing') {
      board.claim(seat.instance, seat.blocks);
      assignExisting(draft, job, seat, ctx);
    } else if (seat) {
      assignNew(draft, board, option.fleet, job, seat, ctx);
    }
  }
}

function refuse(draft: Draft, jobs: readonly JobRecord[], message: string): void {
  for (const job of jobs) {
    moveJob(draft, job, 'terminating', {
      terminationReason: 'failed_to_start_due_to_no_capacity',
      terminationMessage: message,
    });
  }
}

/**
 * Tells pending runs for which there is room now. Only room that is certain counts: a cloud that
 * offers a machine may still refuse to make it, and would be asked again and again.
 */
function hintWaiting(draft: Draft, board: Board, waiting: readonly RunRecord[], ask: Ask): number {
  const certain = localOnly(ask);
  let hinted = 0;
  for (const run of waiting) {
    const request = waitingRequest(run);
    if (!request) continue;
    const option = chooseFleet(board, request, certain);
    if (!('seats' in option)) continue;
    claimSeats(board, run, option);
    draft.signal('run', run.id);
    hinted += 1;
  }
  return hinted;
}
