import type { EjectedReplica } from '@dstack/proxy';
import type { FromWorker } from './messages.ts';

/** The report about a replica that gets no requests for a while. */
export function avoidedFrame({
  runId,
  jobId,
  why,
  ms,
}: EjectedReplica): Extract<FromWorker, { type: 'avoided' }> {
  const figures =
    why.cause === 'errors_in_row'
      ? { errors: why.errors, rate: null, others: null }
      : { errors: null, rate: why.rate, others: why.others };
  return { type: 'avoided', run_id: runId, job_id: jobId, ms: Math.round(ms), ...figures };
}
