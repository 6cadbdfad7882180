import { type StopStage, TERMINATE_AFTER } from '@dstack/contract/agent';

/** A requested stop. Times are milliseconds since the epoch, durations seconds. */
export interface StopRequest {
  readonly requestedAt: number;
  readonly grace: boolean;
  readonly reason: string;
  readonly message: string | null;
  /** Seconds from Ctrl-C to SIGKILL after a notice, in place of `stop_duration`. */
  readonly limit?: number;
}

export interface StopRules {
  readonly stop_duration: number | null;
  readonly stop_duration_set: boolean;
}

/** A kill may have failed because the Docker daemon was down, or come before the command. */
const KILL_AGAIN_AFTER_MS = 10_000;

/**
 * The present stage of a stop, and when the next one is due (null = never):
 *
 *   interrupt (at once) -> terminate (10 s, or half of the user's own limit) -> kill (the limit)
 *
 * A stop without grace begins with the last stage. That stage is repeated.
 */
export function stopStage(
  request: StopRequest,
  rules: StopRules,
  now: number,
): { readonly stage: StopStage; readonly nextAt: number | null } {
  const kill = { stage: 'kill', nextAt: now + KILL_AGAIN_AFTER_MS } as const;
  if (!request.grace) return kill;
  const limit = request.limit ?? rules.stop_duration;
  const isUsers = request.limit === undefined && rules.stop_duration_set;
  const terminateAfter = isUsers && limit !== null ? limit / 2 : TERMINATE_AFTER;
  const killAt = limit === null ? null : request.requestedAt + limit * 1000;
  const terminateAt = request.requestedAt + terminateAfter * 1000;
  if (killAt !== null && now >= killAt) return kill;
  if (now >= terminateAt) return { stage: 'terminate', nextAt: killAt };
  const nextAt = killAt !== null && killAt < terminateAt ? killAt : terminateAt;
  return { stage: 'interrupt', nextAt };
}
