import type { JobSpec } from '@dstack/contract/wire';
import { type GangRequest, requestOf } from '../placement/gang-request.ts';
import { nodesRequired } from '../run-spec/size-of.ts';
import type { PlanInput } from './input.ts';

/** Jobs that share offers: the nodes of a node group, or one replica of a replica group. */
export interface Batch {
  readonly jobSpecs: readonly JobSpec[];
  /** All jobs of the replica, this batch's first: the fleet has to hold all of them. */
  readonly request: GangRequest;
}

export function batchesOf(input: PlanInput): Batch[] {
  const batches = new Map<string, JobSpec[]>();
  for (const spec of input.jobSpecs) {
    const key = `${spec.replica_group}/${spec.node_group_index}`;
    batches.set(key, [...(batches.get(key) ?? []), spec]);
  }
  const run = {
    ...{ id: 'plan', fleetId: input.runFleetId ?? null, projectId: input.projectId },
    ...(input.userId !== undefined && { userId: input.userId }),
  };
  return [...batches.values()].map((jobSpecs) => {
    const first = jobSpecs[0];
    const others = input.jobSpecs.filter(
      (spec) => spec.replica_group === first?.replica_group && !jobSpecs.includes(spec),
    );
    const request = requestOf(run, input.spec, [...jobSpecs, ...others]);
    const required = Math.max(jobSpecs.length, nodesRequired(input.spec));
    return { jobSpecs, request: { ...request, nodesRequired: required } };
  });
}
