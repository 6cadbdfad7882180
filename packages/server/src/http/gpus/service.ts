/** Offers of a run's first job, grouped by device. */
import { type ListGpusRequest, ruleError } from '@dstack/contract/api';
import type { CpuGroup, GpuGroup, ListGpusResponse } from '@dstack/contract/wire';
import {
  allOffers,
  type CpuRow,
  type GpuRow,
  groupByError,
  groupCpus,
  groupGpus,
  planWantsOffers,
} from '@dstack/core';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import { optionalWireBackend, wireBackend } from '../mapping/backend-name.ts';
import type { HttpDeps } from '../ports.ts';
import { effectiveRunSpec } from '../runs/effective-spec.ts';
import { planInput } from '../runs/plan-input.ts';

export async function listGpus(
  deps: HttpDeps,
  project: ProjectRecord,
  user: UserRecord,
  request: ListGpusRequest,
): Promise<ListGpusResponse> {
  const groupBy = request.group_by ?? [];
  const refusal = groupByError(groupBy);
  if (refusal !== null) throw ruleError(refusal);
  const spec = await effectiveRunSpec(deps, project, user, request.run_spec);
  const input = await planInput(deps, project, spec, {
    fullOffers: request.full_offers,
    unallocatedResources: request.unallocated_resources,
    forOffersOnly: true,
  });
  const { offers: answers } = await deps.offers.answer(project.id, planWantsOffers(input));
  // Backends get the names that clients use before grouping, so that none has two rows.
  const offers = allOffers(input, answers).map((offer) => ({
    ...offer,
    backend: wireBackend(offer.backend),
  }));
  const options = { groupBy, reverse: request.reverse };
  const wantsNoGpu = spec.configuration.resources.gpu?.count.max === 0;
  if (wantsNoGpu) return { gpus: [], cpus: groupCpus(offers, options).map(wireRow<CpuGroup>) };
  return { gpus: groupGpus(offers, options).map(wireRow<GpuGroup>) };
}

/** Fields outside of the grouping are omitted, not null. */
function wireRow<Group extends GpuGroup | CpuGroup>(row: GpuRow | CpuRow): Group {
  const { backend, backends, ...rest } = row;
  return {
    ...rest,
    ...(backend === undefined ? {} : { backend: optionalWireBackend(backend) }),
    ...(backends === undefined ? {} : { backends: backends.map(wireBackend) }),
  } as Group;
}
