/** Which volumes a job would mount on a machine, or why it cannot. */
import type { Finding, Refusal, Verdict, VolumeProblem } from '@dstack/contract/wire';
import { capabilitiesOf, configuredBackendName } from '../../capabilities/capabilities.ts';
import { volumeTolerance } from '../../instances/index.ts';
import type {
  BackendName,
  FleetRecord,
  Id,
  InstanceRecord,
  MountableVolume,
  Offer,
  VolumeRecord,
} from '../../model/index.ts';
import { finding } from '../../offers/findings.ts';
import { LOCAL_HOST } from '../../offers/local-limits.ts';
import { equalsIgnoringCase } from '../../offers/match.ts';
import { includesIgnoringCase } from '../../offers/needs.ts';
import { isVolumeActive } from '../../status/index.ts';
import { silenceDeadline } from '../../time/silence.ts';
import type { GangRequest, NodeRequest } from '../gang-request.ts';
import type { CapacityLedger } from './capacity-ledger.ts';

/** The properties of a machine that decide which volumes can be attached to it. */
interface MountPlace {
  readonly backend: BackendName | null;
  /** Empty = not known yet. */
  readonly region: string;
  /** Null: any, or not known. */
  readonly zones: readonly string[] | null;
  readonly fleetId: Id | null;
  readonly hostId: string | null;
  /** Null: an instance to be created. */
  readonly instanceId: Id | null;
}

/** One volume for each mount of the job, in their order. */
export interface Mounts {
  readonly volumes: readonly VolumeRecord[];
}

export interface NoMounts {
  readonly verdict: Verdict;
  readonly finding: Finding;
}

const NO_VOLUMES: Mounts = { volumes: [] };

export function mountsOn(
  ledger: CapacityLedger,
  instance: InstanceRecord,
  node: NodeRequest,
  request: GangRequest,
): Mounts | NoMounts {
  if (node.volumes.length === 0) return NO_VOLUMES;
  const zone = instance.provisioningData?.availability_zone ?? null;
  const { backend, region, fleetId, hostId, id: instanceId } = instance;
  const zones = zone === null ? null : [zone];
  return mountsAt(ledger, { backend, region, zones, fleetId, hostId, instanceId }, node, request);
}

/** `fleetId`: of the instance that the offer would become; null = of no fleet yet. */
export function mountsWith(
  ledger: CapacityLedger,
  offer: Offer,
  fleetId: Id | null,
  node: NodeRequest,
  request: GangRequest,
): Mounts | NoMounts {
  if (node.volumes.length === 0) return NO_VOLUMES;
  const host = offer.backend_data[LOCAL_HOST];
  const place: MountPlace = {
    backend: offer.backend,
    region: offer.region,
    zones: offer.availability_zones ?? null,
    fleetId,
    hostId: typeof host === 'string' ? host : null,
    instanceId: null,
  };
  return mountsAt(ledger, place, node, request);
}

function mountsAt(
  ledger: CapacityLedger,
  place: MountPlace,
  node: NodeRequest,
  request: GangRequest,
): Mounts | NoMounts {
  const volumes: VolumeRecord[] = [];
  let full: NoMounts | null = null;
  for (const names of node.volumes) {
    const candidates = usable(ledger, names, request);
    // Two mounts of one job never get the same volume.
    const left = candidates.filter(({ volume }) => !volumes.includes(volume));
    const near = left.filter(({ volume }) => reaches(volume, place));
    const free = near.find(({ volume }) => {
      const holder = ledger.volumes.holderOf(volume);
      return holder === null || holder === place.instanceId;
    });
    if (free) volumes.push(free.volume);
    else if (near[0]) full ??= { verdict: 'full', finding: inUse(ledger, near[0].volume) };
    else return { verdict: 'never', finding: elsewhere(ledger, names, candidates[0]?.volume) };
  }
  return full ?? { volumes };
}

/** Whether the volume could be attached to a machine at that place. */
function reaches(volume: VolumeRecord, place: MountPlace): boolean {
  if (capabilitiesOf(volume.backend).owner !== 'provider') {
    if (volume.hostId !== null) return place.hostId === volume.hostId;
    return volume.fleetId !== null && place.fleetId === volume.fleetId;
  }
  if (place.backend !== volume.backend) return false;
  const region = regionOf(volume);
  if (region !== '' && place.region !== '' && !equalsIgnoringCase(region, place.region))
    return false;
  const zone = volume.provisioningData?.availability_zone ?? null;
  return zone === null || place.zones === null || includesIgnoringCase(place.zones, zone);
}

/** Empty: every region of its backend. */
const regionOf = ({ configuration }: VolumeRecord): string =>
  ('region' in configuration && configuration.region) || '';

function usable(
  ledger: CapacityLedger,
  names: readonly string[],
  { run }: GangRequest,
): MountableVolume[] {
  return names
    .map((name) => ledger.volumes.named(run.projectId, name))
    .filter((found): found is MountableVolume => problemOf(ledger, found) === null);
}

function problemOf(ledger: CapacityLedger, found: MountableVolume | null): VolumeProblem | null {
  if (found === null || found.volume.deleted) return 'missing';
  if (found.volume.toBeDeleted) return 'deleting';
  if (!isVolumeActive(found.volume.status)) return 'not_active';
  if (found.failed === true) return 'broken';
  return isLost(ledger, found) ? 'lost' : null;
}

/** A volume may be missing for a moment. */
function isLost({ moment }: CapacityLedger, { volume, missing }: MountableVolume): boolean {
  if (missing === null) return false;
  return missing.checkedAt >= silenceDeadline(moment, missing.since, volumeTolerance(volume));
}

/** The first volume that the gang can mount nowhere, whatever the machine; null if there is none. */
export function unusableVolume(ledger: CapacityLedger, request: GangRequest): Refusal | null {
  const taken = new Set<Id>();
  for (const { volumes } of request.nodes) {
    const own = new Set<Id>();
    for (const names of volumes) {
      const [first] = usable(ledger, names, request);
      const name = names[0] ?? '';
      if (!first) {
        const found = ledger.volumes.named(request.run.projectId, name);
        const problem = problemOf(ledger, found) ?? 'missing';
        return { kind: 'volume', name, problem };
      }
      const { id, shared } = first.volume;
      if (shared) continue;
      if (taken.has(id)) {
        return { kind: 'volume', name: first.volume.name, problem: 'one_instance' };
      }
      own.add(id);
    }
    for (const id of own) taken.add(id);
  }
  return null;
}

function elsewhere(
  ledger: CapacityLedger,
  names: readonly string[],
  volume: VolumeRecord | undefined,
): Finding {
  const has = volume ? placeText(ledger, volume) : null;
  return finding('volume_place', { asked: volume?.name ?? names[0] ?? null, has });
}

function inUse(ledger: CapacityLedger, volume: VolumeRecord): Finding {
  const holder = ledger.volumes.holderOf(volume);
  const instance = ledger.snapshot.instances.find((one) => one.id === holder);
  return finding('volume_in_use', { asked: volume.name, has: instance?.name ?? null });
}

/** The instance, fleet or region in which a volume is. */
export function placeText(ledger: CapacityLedger, volume: VolumeRecord): string | null {
  const { hostId, fleetId, backend } = volume;
  if (capabilitiesOf(backend).owner === 'server') return "the server's machine";
  if (hostId !== null) {
    return ledger.snapshot.instances.find((one) => one.id === hostId)?.name ?? null;
  }
  if (fleetId !== null) return fleetText(ledger.fleets, fleetId);
  const zone = volume.provisioningData?.availability_zone;
  const place = zone ?? regionOf(volume);
  return place === '' ? configuredBackendName(backend) : `${backend}/${place}`;
}

function fleetText(fleets: readonly FleetRecord[], id: Id): string | null {
  const fleet = fleets.find((one) => one.id === id);
  return fleet ? `fleet ${fleet.name}` : null;
}

/**
 * The offers with which the job can mount its volumes, limited to the zone of these; all of them
 * mount the same volumes. Otherwise the reason why there are none.
 */
export function mountableOffers(
  ledger: CapacityLedger,
  offers: readonly Offer[],
  fleetId: Id | null,
  node: NodeRequest,
  request: GangRequest,
): { readonly offers: readonly Offer[]; readonly volumes: readonly VolumeRecord[] } | NoMounts {
  if (node.volumes.length === 0) return { offers, ...NO_VOLUMES };
  let volumes: readonly VolumeRecord[] | null = null;
  let none: NoMounts | null = null;
  const found: Offer[] = [];
  for (const offer of offers) {
    const mounts = mountsWith(ledger, offer, fleetId, node, request);
    if (!('volumes' in mounts)) {
      // A volume in use will be free again, which is a better reason than a wrong place.
      if (none === null || mounts.verdict === 'full') none = mounts;
      continue;
    }
    volumes ??= mounts.volumes;
    if (sameVolumes(volumes, mounts.volumes)) found.push(inZoneOf(offer, volumes));
  }
  if (volumes !== null) return { offers: found, volumes };
  return none ?? { offers: [], volumes: [] };
}

function sameVolumes(a: readonly VolumeRecord[], b: readonly VolumeRecord[]): boolean {
  return a.every((volume, index) => volume.id === b[index]?.id);
}

function inZoneOf(offer: Offer, volumes: readonly VolumeRecord[]): Offer {
  const zone = volumes
    .filter(({ backend }) => capabilitiesOf(backend).owner === 'provider')
    .map(({ provisioningData }) => provisioningData?.availability_zone)
    .find((one) => one != null);
  return zone ? { ...offer, availability_zones: [zone] } : offer;
}
