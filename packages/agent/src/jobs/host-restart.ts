import type { JobExit } from '@dstack/contract/agent';

/**
 * An exit status of this or a higher value means a signal, or nothing: Docker writes 255 for "not
 * known".
 */
const FIRST_OF_SIGNALS = 128;

/**
 * The exit of a job that was running when its host went down. Its status was invented or is that of
 * a signal of the shutdown, unless only the command itself can have returned it.
 */
export function endByRestart(exit: JobExit, startedIn: string | null, boot: string): JobExit {
  if (startedIn === null || startedIn === boot) return exit;
  if (exit.status !== null && exit.status < FIRST_OF_SIGNALS) return exit;
  const message = 'The host was restarted while the job ran';
  return { status: null, reason: 'instance_unreachable', message };
}
