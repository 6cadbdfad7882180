/** Why a gateway is not deleted: services would lose their address. */
import type { GatewayRecord, Id } from '../model/index.ts';
import type { NamedRun, Viewer } from './input.ts';
import { Names } from './names.ts';

/** Null: nothing uses it. */
export function gatewayUseText(
  gateway: Pick<GatewayRecord, 'name' | 'projectId'>,
  services: readonly NamedRun[],
  {
    projectNames,
    viewer,
  }: { readonly projectNames: Readonly<Record<Id, string>>; readonly viewer: Viewer },
): string | null {
  const names = new Names(gateway.projectId, projectNames, viewer).runs(services);
  if (names === null) return null;
  const [what, them, their] =
    services.length === 1
      ? ['a service', 'it', 'its']
      : [`${services.length} services`, 'them', 'their'];
  return `Gateway ${gateway.name} is used by ${what} (${names}). Stop ${them} or change ${their} \`gateway\`, or delete it anyway by \`dstack gateway delete ${gateway.name} --force\``;
}
