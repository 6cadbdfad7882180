import type { ExplainKind, Explanation, PlanExplanation, RunSpec } from '@dstack/contract/wire';
import type { CallOptions, Transport } from '../transport.ts';

/**
 * Explains the state of something in the project. Servers of dstack 0.22.5 answer as for an unknown
 * path (`isUnsupported`).
 */
export function explainOf(transport: Transport, base: string) {
  return (kind: ExplainKind, name: string, options?: CallOptions): Promise<Explanation> =>
    transport.get(`${base}/explain/${kind}/${encodeURIComponent(name)}`, {}, options);
}

/** Each fleet's answer to a run that is not submitted yet; servers of dstack 0.22.5 do not have it either. */
export function explainPlanOf(transport: Transport, base: string) {
  return (run_spec: RunSpec): Promise<PlanExplanation> =>
    transport.read(`${base}/explain/plan`, { run_spec });
}
