import type { JobExit } from '@dstack/contract/agent';

/** An exit status from here on tells of a signal, or of nothing: Docker writes 255 for "not known". */
const FIRST_OF_SIGNALS = 128;

/**
 * How a job ended that was running when its host went down. What it left is an invented status, or
 * one of the signals of a shutdown; a status that only the command itself can have given stays.
 */
export function endByRestart(exit: JobExit, startedIn: string | null, boot: string): JobExit {
  if (startedIn === null || startedIn === boot) return exit;
  if (exit.status !== null && exit.status < FIRST_OF_SIGNALS) return exit;
  const message = 'The host was restarted while the job ran';
  return { status: null, reason: 'instance_unreachable', message };
}
