import type { Offer, ProvisioningData } from '@dstack/core';

/** The data of an instance right after its order: the offer, without an address. */
export function orderedProvisioningData(
  offer: Pick<Offer, 'backend' | 'instance' | 'region' | 'price' | 'instance_runtime'>,
  instanceId: string,
  known: Partial<ProvisioningData> = {},
): ProvisioningData {
  return {
    backend: offer.backend,
    base_backend: null,
    instance_type: offer.instance,
    instance_id: instanceId,
    hostname: null,
    internal_ip: null,
    public_ip_enabled: true,
    instance_network: null,
    region: offer.region,
    availability_zone: null,
    reservation: null,
    price: offer.price,
    username: 'root',
    ssh_port: null,
    dockerized: offer.instance_runtime === 'shim',
    ssh_proxy: null,
    backend_data: null,
    gpu_driver: null,
    ...known,
  };
}
