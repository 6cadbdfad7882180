/** Answers a machine at 169.254.169.254 as Google documents it, for a selection of paths. */
import type { MetadataAnswer, MetadataRequest } from '../../hosts.ts';
import type { Vm } from '../../vm.ts';

const ROOT = '/computeMetadata/v1/instance';

export function gcpMetadata(vm: Vm, { path, headers }: MetadataRequest): MetadataAnswer {
  if (headers['metadata-flavor'] !== 'Google') return { status: 403, body: 'Forbidden' };
  const known: Readonly<Record<string, string | null>> = {
    [`${ROOT}/id`]: vm.id,
    [`${ROOT}/name`]: vm.name,
    [`${ROOT}/zone`]: `projects/1/zones/${vm.region}`,
    [`${ROOT}/preempted`]: vm.reclaimedAt === null ? 'FALSE' : 'TRUE',
    [`${ROOT}/attributes/user-data`]: vm.userData,
  };
  const body = known[path];
  return body == null ? { status: 404, body: 'not found' } : { status: 200, body };
}
