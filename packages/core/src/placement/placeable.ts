import type { Gang, JobRecord, RunRecord } from '../model/index.ts';
import { isJobSubmitted } from '../status/job-status.ts';
import { isRunActive } from '../status/run-status.ts';
import type { Board } from './board.ts';
import type { FleetOption } from './fleet-option.ts';
import { triedOffers } from './new-seats.ts';

/** Gangs all of whose jobs still wait: one that is being stopped is left alone as a whole. */
export function placeable(gangs: readonly Gang[]): Gang[] {
  return gangs.filter(
    (gang) =>
      gang.jobs.length > 0 && isWanted(gang.run) && gang.jobs.every((job) => isWaiting(job)),
  );
}

function isWanted(run: RunRecord): boolean {
  return !run.deleted && isRunActive(run.status);
}

function isWaiting(job: JobRecord): boolean {
  return isJobSubmitted(job.status) && job.instanceId === null && job.stopRequestedAt === null;
}

/** Marks an option's seats as given away without writing anything. */
export function claimSeats(board: Board, run: RunRecord, option: FleetOption): void {
  board.setFleetOfRun(run.id, option.fleet.id);
  for (const seat of option.seats) {
    if (seat.kind === 'existing') board.claim(seat.instance, seat.blocks);
    else board.addInstance(option.fleet.id, triedOffers(seat.offers)[0]);
  }
}
