import { fleetHosts, type HostInput, hostAddress, type Id } from '@dstack/core';
import type { Store } from '@dstack/store';

/** An SSH host as its fleet names it; null = the fleet no longer contains it. */
export function fleetHostReader(store: Pick<Store, 'hostAccess' | 'instances' | 'fleets'>) {
  return async (instanceId: Id): Promise<Omit<HostInput, 'facts'> | null> => {
    const record = await store.hostAccess.byId(instanceId);
    const [instance] = await store.instances.byIds([instanceId]);
    const fleet = instance && (await store.fleets.recordById(instance.fleetId));
    if (record?.access.kind !== 'ssh' || !fleet) return null;
    const { login, proxy, internalIp } = record.access;
    const { configuration } = fleet.spec;
    const named = configuration.ssh_config && fleetHosts(configuration.ssh_config);
    const listed = named?.find((host) => hostAddress(host) === hostAddress(login));
    return {
      instanceId,
      host: {
        ...{ hostname: login.hostname, user: login.user, port: login.port, internalIp },
        proxyJump: proxy && { ...proxy, key: null },
      },
      network: configuration.ssh_config?.network ?? null,
      blocks: listed?.blocks ?? configuration.blocks ?? 1,
      price: listed?.price ?? 0,
    };
  };
}
