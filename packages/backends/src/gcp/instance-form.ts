/** The order of a machine as the body of its insertion: one call, with labels on everything that it makes. */
import { KEY_TAG, ownerTags } from '../base/rest-vm/names.ts';
import type { VmOrder } from '../base/rest-vm/vm-cloud.ts';
import { EXTERNAL_NAT } from './compute.ts';
import { labelsOf } from './labels.ts';
import { acceleratorOf, diskTypeOf, imageOf, nicTypeOf } from './machine-types.ts';
import type { NetworkPlace } from './networks.ts';
import type { LocalSsd } from './reservations.ts';
import type { GcpSettings } from './settings.ts';
import type { External, VmUse } from './vm-use.ts';

/** The parts of an order for which Google was asked first. */
export interface InstanceParts {
  readonly zone: string;
  /** The first one leads to the server. */
  readonly interfaces: readonly [NetworkPlace, ...NetworkPlace[]];
  /** Null: the machine is of no reservation. */
  readonly reservation: { readonly name: string; readonly localSsds: readonly LocalSsd[] } | null;
  /** Resource policies. */
  readonly policies: readonly string[];
  readonly external: External;
}

export type InstanceSettings = Pick<GcpSettings, 'project' | 'serviceAccount' | 'labels'>;

/** Labels with facts that Google does not report with a machine. */
export const VM_LABELS = {
  ...{ price: 'dstack-price', disk: 'dstack-disk-gb', network: 'dstack-network' },
} as const;
export const PRIVATE = 'private';

/** The user of the images, whom cloud-init gives the keys of the order. */
export const LOGIN_USER = 'ubuntu';

/** Prices are labels in whole millionths of a dollar. */
export const PRICE_UNITS = 1_000_000;

const MIB_PER_GIB = 1024;
const RESERVATION_KEY = 'compute.googleapis.com/reservation-name';
const SCOPES = ['https://www.googleapis.com/auth/cloud-platform'];

export function instanceForm(
  order: VmOrder,
  parts: InstanceParts,
  { settings, use }: { readonly settings: InstanceSettings; readonly use: VmUse },
): object {
  const { zone, interfaces, policies, reservation, external } = parts;
  const { offer, name, userData, authorizedKeys } = order;
  const { project, serviceAccount } = settings;
  const { name: type, resources } = offer.instance;
  const inZone = `projects/${project}/zones/${zone}`;
  const diskGb = Math.ceil(resources.disk.size_mib / MIB_PER_GIB);
  const labels = machineLabels(order, { diskGb, external, use, settings });
  const accelerator = acceleratorOf(resources);
  return {
    ...{ name, labels, machineType: `${inZone}/machineTypes/${type}` },
    tags: { items: [use.networkTag] },
    metadata: {
      items: [
        { key: 'user-data', value: userData },
        { key: 'ssh-keys', value: authorizedKeys.map(loginLine).join('\n') },
        // With it, Google alone decides who may log in.
        { key: 'enable-oslogin', value: 'FALSE' },
      ],
    },
    disks: [
      {
        ...{ boot: true, autoDelete: true, type: 'PERSISTENT', mode: 'READ_WRITE' },
        initializeParams: {
          ...{ labels, sourceImage: imageOf(offer.instance), diskSizeGb: String(diskGb) },
          diskType: `${inZone}/diskTypes/${diskTypeOf(type)}`,
        },
      },
      // Machines of a reservation must have the disks that it was made with.
      ...(reservation?.localSsds ?? []).map((ssd) => ({
        ...{
          type: 'SCRATCH',
          autoDelete: true,
          ...(ssd.interface && { interface: ssd.interface }),
        },
        initializeParams: { diskType: `${inZone}/diskTypes/local-ssd` },
      })),
    ],
    networkInterfaces: interfaces.map((place, at) =>
      interfaceForm(place, type, at === 0 ? external.address : null),
    ),
    ...(accelerator && {
      guestAccelerators: [
        {
          acceleratorType: `${inZone}/acceleratorTypes/${accelerator.name}`,
          acceleratorCount: accelerator.count,
        },
      ],
    }),
    ...(reservation && {
      reservationAffinity: {
        consumeReservationType: 'SPECIFIC_RESERVATION',
        ...{ key: RESERVATION_KEY, values: [reservation.name] },
      },
    }),
    ...(policies.length > 0 && { resourcePolicies: policies }),
    scheduling: schedulingForm(resources.spot, resources.gpus.length > 0),
    // Without one, jobs get no rights in the project.
    serviceAccounts: serviceAccount === null ? [] : [{ email: serviceAccount, scopes: SCOPES }],
  };
}

const loginLine = (key: string): string => `${LOGIN_USER}:${key.trim()}`;

function interfaceForm(
  { network, subnetwork }: NetworkPlace,
  type: string,
  address: External['address'],
) {
  const nicType = nicTypeOf(type);
  return {
    ...{ network, subnetwork, ...(nicType !== null && { nicType }) },
    ...(address !== null && {
      accessConfigs: [{ ...EXTERNAL_NAT, ...(address !== 'any' && { natIP: address }) }],
    }),
  };
}

/** A spot machine that is taken back is deleted: a stopped one would leave its disk, which is charged. */
function schedulingForm(isSpot: boolean, hasGpus: boolean) {
  if (isSpot) {
    return {
      ...{ provisioningModel: 'SPOT', instanceTerminationAction: 'DELETE' },
      ...{ onHostMaintenance: 'TERMINATE', automaticRestart: false },
    };
  }
  // Machines with GPUs cannot move to another host.
  return {
    provisioningModel: 'STANDARD',
    ...(hasGpus && { onHostMaintenance: 'TERMINATE', automaticRestart: true }),
  };
}

interface LabelFacts {
  readonly diskGb: number;
  readonly external: External;
  readonly use: VmUse;
  readonly settings: InstanceSettings;
}

function machineLabels(
  order: VmOrder,
  { diskGb, external, use, settings }: LabelFacts,
): Readonly<Record<string, string>> {
  const { owner, tags, offer } = order;
  const facts = {
    [VM_LABELS.price]: String(Math.round(offer.price * PRICE_UNITS)),
    [VM_LABELS.disk]: String(diskGb),
    [VM_LABELS.network]: external.isPublic ? 'public' : PRIVATE,
    ...use.labels(order),
  };
  const own = ownerTags(owner, tags[KEY_TAG] ?? '', use.keyLabel);
  return labelsOf({ ...own, ...facts }, settings.labels, tags);
}
