/** The parts of a region of GCP that gateways need. */
import type { GatewayRegion, GatewayVmKind } from '../../base/rest-vm/gateways/gateway-parts.ts';
import { gatewayWay } from '../../base/rest-vm/gateways/gateway-way.ts';
import { VmInstances } from '../../base/rest-vm/instances.ts';
import type { CallPace } from '../../base/rest-vm/pace.ts';
import { refusalCode } from '../../base/rest-vm/refusals.ts';
import type { GcpAccount, GcpMarket } from '../gcp-account.ts';
import { GcpRegion } from '../gcp-region.ts';
import type { Networks } from '../networks.ts';
import type { GcpSettings } from '../settings.ts';
import { useForGateways } from './gateway-use.ts';
import { StaticAddresses } from './static-addresses.ts';

const KIND: GatewayVmKind = {
  ...{ backend: 'gcp', title: 'GCP', defaultType: 'e2-medium', running: 'RUNNING' },
  // Those of the Axion and Tau processors.
  isArm: (type) => /^(?:t2a|c4a|n4a)-/.test(type),
  isDenied: (error) => refusalCode(error) === 'forbidden',
};

export interface GatewayRegionOptions {
  readonly region: string;
  readonly account: GcpAccount;
  readonly market: GcpMarket;
  readonly networks: Networks;
  readonly settings: GcpSettings;
  /** Host keys are derived from it. */
  readonly secret: string;
  readonly pace: CallPace;
}

export function gatewayRegion(options: GatewayRegionOptions): GatewayRegion {
  const { region, account, market, networks, settings, secret, pace } = options;
  const { compute } = account;
  const sizes = (type: string) => market.asked.sizes(type, null);
  const addresses = new StaticAddresses({ compute, region, pace });
  const cloud = new GcpRegion({
    ...{ region, compute, networks, sizes, insertions: account.insertions },
    use: useForGateways(region, networks, addresses),
    listed: () => account.listedGateways(),
    clusters: null,
    // Gateways have no rights in the project.
    settings: { ...settings, serviceAccount: null },
  });
  const all = account.regionOf(region).gatewayVms;
  const instances = new VmInstances({
    ...{ cloud, way: gatewayWay(cloud, secret), pace, account: all },
    // They have no price that anything depends on.
    offers: { priceOf: async () => null, refused: () => {} },
  });
  const list = () => cloud.list();
  return {
    ...{ region, kind: KIND, instances, sizes, addresses, balancers: null },
    vms: {
      shared: () => all.shared(list),
      fresh: () => all.fresh(list),
      changed: () => all.changed(),
    },
    zones: async () => market.asked.zones(region),
  };
}
