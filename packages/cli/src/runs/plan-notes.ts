import type { FleetPlan, RunPlan } from '@dstack/contract/wire';
import type { Io } from '../terminal/io.ts';
import { hangingText } from '../terminal/text-width.ts';

/** Prints the notes of the server on a plan. */
export function printPlanNotes({ notes }: Pick<RunPlan | FleetPlan, 'notes'>, io: Io): void {
  for (const note of notes ?? []) {
    io.print(` ${io.paint('secondary', hangingText(`note: ${note}`, 1, io.width))}\n`);
  }
}
