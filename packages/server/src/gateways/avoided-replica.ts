import type { GatewayFrame } from '@dstack/contract/agent';
import type { EjectedReplica } from '@dstack/proxy';

/** The report of a gateway about a replica that gets no requests for a while. */
export function avoidedReplica({
  run_id: runId,
  job_id: jobId,
  ms,
  errors,
  rate,
  others,
}: Extract<GatewayFrame, { type: 'avoided' }>): EjectedReplica {
  const why =
    errors === null
      ? ({ cause: 'error_rate', rate: rate ?? 0, others: others ?? 0 } as const)
      : ({ cause: 'errors_in_row', errors } as const);
  return { runId, jobId, ms, why };
}
