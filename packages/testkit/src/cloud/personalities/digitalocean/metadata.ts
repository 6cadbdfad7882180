/** Answers a droplet at 169.254.169.254 as DigitalOcean documents it, for a selection of paths. */
import type { MetadataAnswer, MetadataRequest } from '../../hosts.ts';
import type { Vm } from '../../vm.ts';

export function dropletMetadata(vm: Vm, { path }: MetadataRequest): MetadataAnswer {
  const known: Readonly<Record<string, string | null>> = {
    '/metadata/v1/id': vm.id,
    '/metadata/v1/hostname': vm.name,
    '/metadata/v1/region': vm.region,
    '/metadata/v1/user-data': vm.userData,
    '/metadata/v1/public-keys': vm.keys.map(({ publicKey }) => publicKey).join('\n'),
    '/metadata/v1/interfaces/public/0/ipv4/address': vm.address,
    '/metadata/v1/interfaces/private/0/ipv4/address': vm.privateAddress,
  };
  const body = known[path];
  return body == null ? { status: 404, body: 'not found' } : { status: 200, body };
}
