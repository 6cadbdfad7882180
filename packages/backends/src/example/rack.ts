/**
 * A pretend backend, kept as an example: a rack of machines that are always running, listed in a
 * file. Creating an instance puts a label on a free machine; releasing it removes the label. The
 * checklist in `docs/checklists/backend.md` explains this file step by step.
 */
import type { Requirements } from '@dstack/contract/wire';
import { type BackendName, capabilitiesOf, type Offer } from '@dstack/core';
import { NoCapacityError, SkipOfferError } from '../base/errors.ts';
import type { InstanceOrder, Observation } from '../base/instance-port.ts';
import type { Backend } from '../base/port.ts';
import { orderedProvisioningData } from '../base/provisioning-data.ts';

/** One machine of the rack. `label` null: it is free. */
export interface RackMachine {
  readonly address: string;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly label: RackLabel | null;
}

export type RackLabel = Pick<InstanceOrder, 'key' | 'owner'>;

/** The rack's own API, in place of a cloud's SDK. */
export interface RackApi {
  read(): Promise<readonly RackMachine[]>;
  /** Writes the label if it is still `from`. Returns whether it was. */
  relabel(address: string, from: RackLabel | null, to: RackLabel | null): Promise<boolean>;
}

export interface RackOptions {
  /** The type that the backend is shown as: clients have a closed list of types. */
  readonly as: BackendName;
  readonly api: RackApi;
  readonly matches: (requirements: Requirements, offer: Offer) => boolean;
}

const REGION = 'cellar';

export function rackBackend({ as, api, matches }: RackOptions): Backend {
  const machineAt = async (address: string) =>
    (await api.read()).find((machine) => machine.address === address) ?? null;
  return {
    name: as,
    capabilities: capabilitiesOf(as),
    // Nothing reports a label that is removed by hand, so the server asks again from time to time.
    signalsCapacity: false,
    offers: async (requirements) => {
      const offers = (await api.read()).map((machine) => offerOf(as, machine));
      return { offers: offers.filter((offer) => matches(requirements, offer)), notes: [] };
    },
    instances: {
      create: async (order) => {
        const address = await labelled(api, order);
        return {
          handle: { id: address, data: null },
          hostId: order.instanceId,
          // Known at once; `observe` reports it again, with the access.
          provisioningData: null,
        };
      },
      observe: async ({ id }) => observationOf(as, await machineAt(id)),
      release: async ({ id }) => {
        const machine = await machineAt(id);
        // Without its label or its machine, an instance has been released.
        if (!machine?.label) return 'released';
        return (await api.relabel(id, machine.label, null)) ? 'released' : 'releasing';
      },
      list: async ({ server }) =>
        (await api.read()).flatMap(({ address, label }) =>
          label?.owner.server === server
            ? [{ handle: { id: address, data: null }, owner: label.owner, key: label.key }]
            : [],
        ),
    },
    volumes: null,
    groups: null,
    check: async () => [{ name: 'rack:read', ok: true, problem: null }],
  };
}

/** The machine with the order's label: the one that has it already, else a free one that fits. */
async function labelled(api: RackApi, { key, owner, offer }: InstanceOrder): Promise<string> {
  if (offer === null) throw new SkipOfferError('the machines of the rack are offered');
  const machines = await api.read();
  const known = machines.find(({ label }) => label?.key === key);
  if (known) return known.address;
  for (const machine of machines) {
    const fits = machine.label === null && nameOf(machine) === offer.instance.name;
    if (fits && (await api.relabel(machine.address, null, { key, owner }))) return machine.address;
  }
  throw new NoCapacityError(`every ${offer.instance.name} is in use`);
}

function observationOf(as: BackendName, machine: RackMachine | null): Observation {
  if (!machine?.label) return { state: 'missing' };
  const { address } = machine;
  const offer = offerOf(as, machine);
  const provisioningData = orderedProvisioningData(offer, address, {
    hostname: address,
    ssh_port: 22,
  });
  return {
    state: 'ready',
    machine: { offer: null, provisioningData, totalBlocks: null },
    access: { kind: 'ssh', hostname: address, port: 22, user: 'root', hostKey: null },
  };
}

const nameOf = ({ cpus, memoryMib }: RackMachine): string => `rack-${cpus}-${memoryMib / 1024}`;

function offerOf(as: BackendName, machine: RackMachine): Offer {
  return {
    backend: as,
    region: REGION,
    price: 0,
    instance: {
      name: nameOf(machine),
      resources: {
        cpus: machine.cpus,
        memory_mib: machine.memoryMib,
        gpus: [],
        spot: false,
        disk: { size_mib: 102_400 },
        cpu_arch: 'x86',
        description: '',
      },
    },
    availability: machine.label === null ? 'available' : 'not_available',
    availability_zones: null,
    backend_data: {},
    instance_runtime: 'shim',
    blocks: 1,
    total_blocks: 1,
  };
}
