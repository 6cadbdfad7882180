import { buildJobSpecs } from '../job-spec/build.ts';
import type { RunRecord } from '../model/index.ts';
import { type GangRequest, requestOf } from './gang-request.ts';

/**
 * What a pending run would ask for if it were submitted again: one of its replicas, from its stored
 * spec. An image whose configuration is not known here leaves the architecture open.
 */
export function waitingRequest(run: RunRecord): GangRequest | null {
  const group = Object.entries(run.desiredReplicas).find(([, count]) => count > 0)?.[0];
  if (group === undefined) return null;
  const built = buildJobSpecs(run.spec, {
    runName: run.name,
    replicaNum: 0,
    replicaGroup: group,
    imageConfig: null,
  });
  return built.ok ? requestOf(run, run.spec, built.jobSpecs) : null;
}
