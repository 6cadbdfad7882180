import type { Run } from '@dstack/contract/wire';
import type { Paint } from '../terminal/style.ts';
import { scheduledStart } from './run-status.ts';

/** When a run that waits for its schedule starts next, and how to see its output then; else empty. */
export function scheduleLines(run: Run, paint: Paint): readonly string[] {
  const next = scheduledStart(run);
  if (next === null) return [];
  const name = run.run_spec.run_name ?? '';
  return [
    `Next run: ${next}`,
    `It starts without this command. While it runs: ${paint('code', `dstack attach ${name}`)}`,
  ];
}
