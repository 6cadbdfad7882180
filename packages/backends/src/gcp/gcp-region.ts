/** One region of a project of GCP as a provider of machines. */
import type { Offer } from '@dstack/core';
import { BusyError, NoAnswerError, NoCapacityError, SkipOfferError } from '../base/errors.ts';
import { MissingThingError, refusalCode } from '../base/rest-vm/refusals.ts';
import type { Vm, VmCloud, VmOrder } from '../base/rest-vm/vm-cloud.ts';
import {
  type Compute,
  type ListedInstances,
  lastSegment,
  regionOfZone,
  unreachableIn,
} from './compute.ts';
import type { Insertions } from './insertions.ts';
import {
  type InstanceParts,
  type InstanceSettings,
  instanceForm,
  LOGIN_USER,
} from './instance-form.ts';
import { vmIdOf, vmPlaceIn } from './instance-ids.ts';
import { extraInterfacesOf, isTpu, takesVolumes } from './machine-types.ts';
import type { Networks } from './networks.ts';
import { fitsPlacementGroup, placementGroupName } from './placement-groups.ts';
import { uuidOf } from './request-ids.ts';
import type { Reservations } from './reservations.ts';
import type { VmUse } from './vm-use.ts';
import { GCP_STATUSES, type Sizes, vmIdIn, vmOf } from './vms.ts';

export interface GcpRegionOptions {
  readonly region: string;
  readonly compute: Compute;
  /** The machines of all regions. */
  readonly listed: () => Promise<ListedInstances>;
  readonly networks: Networks;
  readonly insertions: Insertions;
  readonly use: VmUse;
  /** Null: no order names reservations or placement groups. */
  readonly clusters: ClusterParts | null;
  readonly settings: InstanceSettings;
  readonly sizes: Sizes;
}

export interface ClusterParts {
  readonly reservations: Pick<Reservations, 'find'>;
  /** By which an order names a resource policy. */
  readonly policyOf: (region: string, name: string) => string;
}

/** Failed requests that are remembered: Google forgets them too. */
const REMEMBERED = 1000;
/** The agent of Google's images would make other host keys at the first boot. */
const KEEP_HOST_KEYS = {
  path: '/etc/default/instance_configs.cfg',
  content: '[InstanceSetup]\nset_host_keys = false\n',
};

/** A machine that powers itself off is charged for its disk only, until a server ends it. */
export const LEASE_ENDING = 'poweroff';

export class GcpRegion implements VmCloud {
  readonly type = 'gcp';
  readonly title = 'GCP';
  readonly loginUser = LOGIN_USER;
  readonly statuses = GCP_STATUSES;
  readonly lateMs = 30_000;
  readonly hasVolumes = true;
  readonly hasReservations = true;
  readonly leaseEnding = LEASE_ENDING;
  readonly firstFiles = [KEEP_HOST_KEYS];
  readonly #options: GcpRegionOptions;
  /** Machines whose end this process has ordered. */
  readonly #ended = new Set<string>();
  /** How often orders have failed, by their requests: Google would repeat the old answer for an hour. */
  readonly #failures = new Map<string, number>();

  constructor(options: GcpRegionOptions) {
    this.#options = options;
  }

  takesVolumes({ instance }: Offer): boolean {
    return takesVolumes(instance.name);
  }

  async list(): Promise<readonly Vm[]> {
    const { region, insertions, sizes, use } = this.#options;
    const { instances, unreachable } = await this.#options.listed();
    const missing = unreachableIn(region, unreachable);
    // The machines there exist all the same.
    if (missing !== null) throw new NoAnswerError(`GCP: ${missing} does not answer`);
    const listed = instances
      .filter(({ zone }) => regionOfZone(lastSegment(zone)) === region)
      .map((instance) => {
        const isEnded = this.#ended.has(vmIdIn(instance));
        return vmOf(instance, { sizes, isEnded, keyLabel: use.keyLabel });
      });
    const ids = new Set(listed.map(({ id }) => id));
    for (const id of this.#ended) if (!ids.has(id)) this.#ended.delete(id);
    const failed = await insertions.failed(region);
    return [...listed, ...failed.filter((vm) => !ids.has(vm.id))];
  }

  /** Looks for the network, so that the order itself is one call. */
  async prepare(order: VmOrder): Promise<void> {
    await this.#options.use.allow();
    await this.#partsOf(order);
  }

  async create(order: VmOrder): Promise<string> {
    const { region, compute, insertions, settings, use } = this.#options;
    const { name, offer, signal } = order;
    const parts = await this.#partsOf(order);
    const { zone } = parts;
    const body = instanceForm(order, parts, { settings, use });
    const request = uuidOf(name, zone, JSON.stringify(body));
    const id = vmIdOf(zone, name);
    try {
      const nth = this.#failures.get(request) ?? 0;
      const requestId = uuidOf(request, String(nth));
      const operation = await compute.insertInstance(zone, body, requestId, signal);
      await insertions.settle(operation, {
        ...{ id, name, zone, region },
        instance: offer.instance,
      });
      return id;
    } catch (error) {
      if (!(error instanceof NoAnswerError)) this.#failed(request);
      throw await this.#errorOf(error, zone, name);
    }
  }

  #failed(request: string): void {
    const nth = this.#failures.get(request) ?? 0;
    this.#failures.delete(request);
    this.#failures.set(request, nth + 1);
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > REMEMBERED && oldest !== undefined) this.#failures.delete(oldest);
  }

  async end({ id }: Pick<Vm, 'id'>): Promise<void> {
    const { zone, name } = vmPlaceIn(id);
    await this.#options.compute.deleteInstance(zone, name);
    this.#ended.add(id);
  }

  async #partsOf(order: VmOrder): Promise<InstanceParts> {
    const { offer, owner, placementGroup } = order;
    const { region, networks, clusters, use } = this.#options;
    const { name } = offer.instance;
    const [zone] = offer.availability_zones ?? [];
    if (zone === undefined)
      throw new SkipOfferError(`GCP: no zone of ${region} is known to sell it`);
    if (isTpu(offer.instance.resources)) throw new SkipOfferError(TPU_REFUSAL);
    if (placementGroup && !fitsPlacementGroup(name)) {
      throw new SkipOfferError(`GCP puts no ${name} into a placement group`);
    }
    const [first, others, reservation, external] = await Promise.all([
      networks.place(region),
      networks.extraPlaces(region, extraInterfacesOf(name)),
      this.#reserved(order, zone),
      use.external(order),
    ]);
    const policies =
      placementGroup && clusters
        ? [clusters.policyOf(region, placementGroupName(owner.server, placementGroup))]
        : [];
    return { zone, policies, reservation, external, interfaces: [first, ...others] };
  }

  async #reserved({ reservation: name = null }: VmOrder, zone: string) {
    const { clusters } = this.#options;
    if (name === null || clusters === null) return null;
    const { reservations } = await clusters.reservations.find(name);
    const found = reservations.find((one) => one.zone === zone);
    if (found) return { name, localSsds: found.localSsds };
    throw new SkipOfferError(`GCP: reservation ${name} is not ready in ${zone}`);
  }

  async #errorOf(error: unknown, zone: string, name: string): Promise<unknown> {
    // An earlier attempt has made it: it is looked for.
    if (refusalCode(error) === 'alreadyExists') {
      return new NoAnswerError(`GCP: ${name} exists already in ${zone}`, { cause: error });
    }
    // A user may have deleted what is remembered.
    if (!isAboutOffer(error)) this.#options.networks.forget();
    // Only this error promises that nothing exists, and Google removes what has failed a moment later.
    const isLeft = error instanceof NoCapacityError && !(await this.#isAbsent(zone, name));
    return isLeft ? new NoAnswerError((error as Error).message, { cause: error }) : error;
  }

  async #isAbsent(zone: string, name: string): Promise<boolean> {
    try {
      await this.#options.compute.instance(zone, name);
      return false;
    } catch (error) {
      return error instanceof MissingThingError;
    }
  }
}

/** Why an offer of a TPU is never ordered. */
export const TPU_REFUSAL =
  'TPUs of GCP are shown with their prices only: this server cannot order them yet';

/** Otherwise it may be about the network. */
function isAboutOffer(error: unknown): boolean {
  return error instanceof NoCapacityError || error instanceof BusyError;
}
