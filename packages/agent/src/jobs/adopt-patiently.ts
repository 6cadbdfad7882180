import { withTimeout } from '@dstack/contract/with-timeout';
import type { Execution } from '../executor/executor.ts';
import { JobUnknown } from '../executor/job-failure.ts';
import type { EventLogger } from '../host/log.ts';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
/** At most 200 characters. The cause is in the report on the host's health. */
const AWAITED = 'an answer of the host to the question whether the job still runs';

export interface Adoption {
  /** Ends the attempts: the agent ends, the job goes on. */
  readonly signal: AbortSignal;
  readonly log: EventLogger;
  /** Receives what the adoption waits for; null once it no longer waits. */
  readonly onWait: (awaited: string | null) => void;
}

/**
 * Attempts to adopt a job, after growing delays, until the host answers whether it still runs: the job may well run
 * while a daemon does not answer. Null if nothing is left of it, or if `signal` is aborted.
 */
export async function adoptPatiently(
  adopt: () => Promise<Execution | null>,
  { signal, log, onWait }: Adoption,
): Promise<Execution | null> {
  let waits = false;
  for (let ms = FIRST_DELAY_MS; !signal.aborted; ms = Math.min(2 * ms, LONGEST_DELAY_MS)) {
    try {
      const execution = await adopt();
      if (waits && !signal.aborted) onWait(null);
      return execution;
    } catch (error) {
      if (!(error instanceof JobUnknown)) throw error;
      if (signal.aborted) return null;
      log.error('adopting failed, will be tried again', error);
      if (!waits) onWait(AWAITED);
      waits = true;
      await pause(ms, signal);
    }
  }
  return null;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const forever = () => new Promise<void>(() => {});
  await withTimeout(forever, { ms, signal, onTimeout: () => {} }).catch(() => {});
}
