/** Why a gang has no place now, as data: applies the rules of `chooseFleet` and reports each. */
import type { Finding, FleetRefusal, Refusal, Verdict } from '@dstack/contract/wire';
import { fixedSite, matchesFleet, siteText } from '../../instances/index.ts';
import type { FleetRecord, InstanceRecord } from '../../model/index.ts';
import { PerLikeness } from '../../offers/alike.ts';
import { smallestShare } from '../../offers/blocks.ts';
import { finding, offerFindings, stateFinding, summarize } from '../../offers/findings.ts';
import { instanceFindings, matchInstance, referenceText } from '../../offers/pool.ts';
import type { GangRequest, NodeRequest } from '../gang-request.ts';
import { lackOf, quotaRefusal } from '../quota/refusal.ts';
import type { CapacityLedger } from './capacity-ledger.ts';
import { candidateFleets, fits, isClusterFor, newSlots, nodesNeeded } from './choose-fleet.ts';
import {
  dependsOnInstance,
  isAllowed,
  isOthersLocal,
  poolOffer,
  poolSlots,
} from './existing-instances.ts';
import type { AlikeNow } from './fleet-capacity.ts';
import { byNumber } from './fleet-index.ts';
import { fleetName } from './fleet-name.ts';
import { mountsOn, unusableVolume } from './mounts.ts';
import { type Ask, newCapacityFor, whyNeverGrow, whyNotGrow } from './new-capacity.ts';

export { fleetName };

/** Why `chooseFleet` finds nothing for the gang. */
export function refusalOf(ledger: CapacityLedger, request: GangRequest, ask: Ask): Refusal {
  const unusable = unusableVolume(ledger, request);
  if (unusable) return unusable;
  const fleets = candidateFleets(ledger, request);
  if (fleets.length === 0) return withoutFleets(ledger, request);
  const lack = lackOf(ledger, request, ask);
  if (lack) return quotaRefusal(ledger, request, lack);
  return {
    kind: 'no-place',
    nodes: nodesNeeded(ledger, request),
    selected: Boolean(request.profile.instances),
    fleets: fleets.map((fleet) => fleetRefusal(ledger, fleet, request, ask)),
  };
}

/** Causes other than a lack of capacity that keep the gang from its place, and end. */
export type Undecided =
  /** A fleet that may take the gang creates the first instance of its cluster. */
  | 'cluster_starting'
  /** An instance that could take the gang cannot start jobs now. */
  | 'host_fault'
  /** A person keeps new jobs off an instance that could take the gang. */
  | 'cordoned'
  /** A fleet that could take the gang is in maintenance, or will be before the gang has ended. */
  | 'maintenance'
  /** The connection to an instance that could take the gang was lost moments ago. */
  | 'reconnecting'
  /** The machine of this server is full or too small; that of another one may not be, which that server finds out at once. */
  | 'other_servers'
  /** A quota leaves too little. */
  | 'quota';

export function undecidedUntil(refusal: Refusal): Undecided | null {
  if (refusal.kind === 'quota') return 'quota';
  if (refusal.kind !== 'no-place') return null;
  if (refusal.fleets.some(({ growth }) => growth?.rule === 'cluster_starting')) {
    return 'cluster_starting';
  }
  const hasInstance = (wanted: Finding['rule']) =>
    refusal.fleets.some(
      ({ verdict, pool }) => verdict === 'full' && pool.some(({ rule }) => rule === wanted),
    );
  if (hasInstance('host_fault')) return 'host_fault';
  if (hasInstance('cordoned')) return 'cordoned';
  const isInMaintenance = refusal.fleets.some(({ growth }) => growth?.rule === 'maintenance');
  if (isInMaintenance || hasInstance('maintenance')) return 'maintenance';
  if (hasInstance('reconnecting')) return 'reconnecting';
  return refusal.fleets.some(({ growth }) => isOnlyHere(growth)) ? 'other_servers' : null;
}

/** `count`: the machines of other servers. */
const isOnlyHere = (growth: Finding | null): boolean =>
  growth !== null && OF_THIS_SERVER.has(growth.rule) && growth.count !== null;

const OF_THIS_SERVER: ReadonlySet<Finding['rule']> = new Set([
  'local_limit',
  'gpus_taken',
  'no_offers',
]);

function withoutFleets(ledger: CapacityLedger, request: GangRequest): Refusal {
  const named = request.profile.fleets;
  if (named) return { kind: 'fleets-missing', names: named.map(referenceText) };
  if (ledger.fleetOfRun(request.run) !== null) return { kind: 'fleet-deleted' };
  return { kind: 'no-fleets' };
}

function fleetRefusal(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  request: GangRequest,
  ask: Ask,
): FleetRefusal {
  const name = fleetName(ledger, fleet, request);
  if (!isClusterFor(fleet, request)) {
    const growth = finding('placement', { asked: String(request.nodes.length) });
    return { fleet: name, verdict: 'never', pool: [], growth };
  }
  const [node] = request.nodes;
  const findings = node ? findingsIn(ledger, fleet, node, request) : [];
  const growth = growthRefusal(ledger, fleet, request, ask);
  const { places } = fitting(ledger, fleet, request);
  const isPossible = growth.verdict === 'full' || places >= nodesNeeded(ledger, request);
  return {
    fleet: name,
    verdict: isPossible ? 'full' : 'never',
    pool: summarize(findings),
    growth: growth.finding,
  };
}

/** Existing instances that could take the gang, now or once they are free. */
export interface Fitting {
  readonly instances: readonly Alike[];
  /** How many nodes they could take together. */
  readonly places: number;
}

/** The nodes of a cluster share one site: the one with the most suitable instances. */
export function fitting(ledger: CapacityLedger, fleet: FleetRecord, request: GangRequest): Fitting {
  const [node] = request.nodes;
  if (!node) return { instances: [], places: 0 };
  const all = looksAt(ledger, fleet, node, request).filter(({ look }) => look.verdict === 'full');
  const count = (some: readonly Alike[], each: (one: InstanceRecord) => number) =>
    some.reduce((sum, { sample, size }) => sum + size * each(sample), 0);
  if (!node.needs.multinode) {
    const each = new PerLikeness((one) => placesOn(one, node));
    return { instances: all, places: count(all, (one) => each.of(one)) };
  }
  const sites = [
    ...Map.groupBy(all, ({ sample }) => `${sample.backend}/${sample.region}`).values(),
  ];
  const places = sites.map((own) => count(own, () => 1));
  const most = Math.max(0, ...places);
  return { instances: sites[places.indexOf(most)] ?? [], places: most };
}

/** How many such jobs fit on one instance; an instance without a known machine counts as one. */
function placesOn({ offer, totalBlocks }: InstanceRecord, { requirements }: NodeRequest): number {
  if (offer === null || totalBlocks === null) return 1;
  const share = smallestShare(requirements, offer, totalBlocks);
  return share?.blocks ? Math.floor(totalBlocks / share.blocks) : 1;
}

/** Why one instance cannot take a node. */
export interface InstanceLook {
  readonly verdict: Verdict;
  /** Empty: it is free, but not enough for the gang by itself. */
  readonly findings: readonly Finding[];
}

/** Findings about the instances of a fleet, counted: equal looks are one finding. */
function findingsIn(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  node: NodeRequest,
  request: GangRequest,
): Finding[] {
  return looksAt(ledger, fleet, node, request).flatMap(({ look, size }) =>
    look.findings.map((one) => ({ ...one, count: (one.count ?? 1) * size })),
  );
}

/** Instances at which a look finds the same. */
export interface Alike extends AlikeNow {
  readonly sample: InstanceRecord;
  readonly look: InstanceLook;
}

/** Looks at all instances of the fleet: at those that are alike once. */
export function looksAt(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  node: NodeRequest,
  request: GangRequest,
): Alike[] {
  const isByItself = dependsOnInstance(node, request);
  const looks: Alike[] = [];
  for (const alike of ledger.alikeIn(fleet.id)) {
    for (const sample of alike.first(isByItself ? alike.size : 1)) {
      const look = lookAt(ledger, fleet, sample, node, request);
      const alone = { ...alike, size: 1, first: (most: number) => [sample].slice(0, most) };
      looks.push({ ...(isByItself ? alone : alike), sample, look });
    }
  }
  // The order of the groups is that of their changes.
  return looks.sort((a, b) => byNumber(a.sample, b.sample));
}

export function lookAt(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  instance: InstanceRecord,
  node: NodeRequest,
  request: GangRequest,
): InstanceLook {
  if (isOthersLocal(instance, request)) return never([finding('imported')]);
  if (!isAllowed(ledger, fleet, instance, request)) return never([finding('instances')]);
  const query = {
    requirements: node.requirements,
    needs: node.needs,
    profile: request.profile,
  };
  const unfit = instanceFindings(instance, query);
  const mounts = mountsOn(ledger, instance, node, request);
  const noMounts = 'finding' in mounts ? mounts : null;
  if (noMounts?.verdict === 'never') return never([...unfit, noMounts.finding]);
  if (unfit.length > 0) return never(unfit);
  const state = stateFinding(instance, ledger.moment);
  if (state?.rule === 'ending') return never([state]);
  if (state !== null) return full([state]);
  if (!matchesFleet(instance, fleet)) return never([finding('fleet_spec')]);
  if (noMounts) return full([noMounts.finding]);
  const maintenance = ledger.windows.finding(fleet, request);
  if (maintenance !== null) return full([maintenance]);
  if (ledger.isHeld(instance)) return full([finding('held')]);
  const offer = poolOffer(ledger, fleet, instance, node, request);
  if (offer?.available) return full([]);
  const taken = offer !== null && !ledger.hasGpusFor(offer.offer);
  if (taken) return full([finding('gpus_taken')]);
  return full([finding(isReserved(ledger, instance, node, request) ? 'held' : 'busy')]);
}

/** Enough blocks are free, but they are reserved for a gang ahead. */
function isReserved(
  ledger: CapacityLedger,
  instance: InstanceRecord,
  node: NodeRequest,
  request: GangRequest,
): boolean {
  const busy = ledger.busyBlocks(instance);
  if (ledger.busyFor(instance, request) === busy) return false;
  const share = ledger.shareFor(instance, node, request);
  return matchInstance(instance, busy, share, node.needs)?.available === true;
}

const never = (findings: readonly Finding[]): InstanceLook => ({ verdict: 'never', findings });
const full = (findings: readonly Finding[]): InstanceLook => ({ verdict: 'full', findings });

interface GrowthRefusal {
  readonly verdict: Verdict;
  readonly finding: Finding;
}

/** Permanent causes come before temporary ones. */
function growthRefusal(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  request: GangRequest,
  ask: Ask,
): GrowthRefusal {
  const never = whyNeverGrow(fleet, request);
  if (never) return { verdict: 'never', finding: never };
  const slots = newSlots(ledger, fleet, request, ask);
  if ('none' in slots && !isTemporary(slots.none)) {
    return { verdict: 'never', finding: noOffers(fleet, request, ask) ?? slots.none };
  }
  const max = fleet.spec.configuration.nodes?.max ?? null;
  const needed = nodesNeeded(ledger, request);
  if (max !== null && max < needed) {
    return { verdict: 'never', finding: finding('nodes.max', { has: String(max) }) };
  }
  if (ledger.isUndecided(fleet)) return { verdict: 'full', finding: finding('cluster_starting') };
  const maintenance = ledger.windows.finding(fleet, request);
  if (maintenance !== null) return { verdict: 'full', finding: maintenance };
  const limit = whyTooFull(ledger, fleet, request);
  if (limit) return { verdict: 'full', finding: limit };
  if ('none' in slots) return { verdict: 'full', finding: slots.none };
  const nodes = request.nodes.length;
  // Several nodes may lack a common site, wherever the cluster is.
  const site = nodes === 1 ? fixedSite(fleet, ledger.instancesOf(fleet.id)) : null;
  const has = site && siteText(site);
  return { verdict: 'full', finding: finding('site', { asked: String(nodes), has }) };
}

/** Why the fleet's size limit excludes the gang, after subtracting the free instances it would use. */
function whyTooFull(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  request: GangRequest,
): Finding | null {
  const max = fleet.spec.configuration.nodes?.max ?? null;
  if (max === null) return null;
  const isNew = ledger.fleetOfRun(request.run) === null;
  if (isNew && !fits(ledger, fleet, request.nodesRequired)) {
    return finding('nodes.max', { has: String(max) });
  }
  const free = freeAtOneSite(ledger, fleet, request);
  return whyNotGrow(ledger, fleet, Math.max(1, request.nodes.length - free), request);
}

/** The most nodes of the gang that free instances of one site can take. */
function freeAtOneSite(ledger: CapacityLedger, fleet: FleetRecord, request: GangRequest): number {
  const [node] = request.nodes;
  if (!node) return 0;
  const sites = new Map<string, number>();
  for (const { instance } of poolSlots(ledger, fleet, node, request, request.nodes.length)) {
    const site = `${instance.backend}/${instance.region}`;
    sites.set(site, (sites.get(site) ?? 0) + 1);
  }
  return Math.max(0, ...sites.values());
}

/** Whether the cause can pass without a change of configuration. */
function isTemporary(cause: Finding): boolean {
  return TEMPORARY.has(cause.rule) || isOnlyHere(cause);
}

const TEMPORARY: ReadonlySet<Finding['rule']> = new Set([
  'not_available',
  'local_limit',
  'gpus_taken',
  'volume_in_use',
]);

/** The rule that rules out every present offer; null if there is no single such rule. */
function noOffers(fleet: FleetRecord, request: GangRequest, ask: Ask): Finding | null {
  const [node] = request.nodes;
  if (!node) return null;
  const capacity = newCapacityFor(fleet, node, request.profile);
  if ('excluded' in capacity) return null;
  const { combined, question } = capacity;
  const query = { ...combined, needs: node.needs };
  const findings = ask(question).map((offer) => offerFindings(query, offer));
  const [first] = findings.flat();
  const isCommon = first && findings.every((own) => own.some((one) => one.rule === first.rule));
  return isCommon ? { ...first, count: findings.length } : slurmFinding(findings);
}

/** All nodes are outside the partition or do not have the features: those inside are of interest. */
function slurmFinding(findings: readonly (readonly Finding[])[]): Finding | null {
  const isOfSlurm = ({ rule }: Pick<Finding, 'rule'>) => OF_SLURM.includes(rule);
  if (!findings.every((own) => own.some(isOfSlurm))) return null;
  const inside = findings.flat().filter(({ rule }) => isOfSlurm({ rule }) && rule !== 'partition');
  const [first] = inside;
  return first ? { ...first, count: inside.length } : null;
}

const OF_SLURM: readonly Finding['rule'][] = ['partition', 'constraint', 'qos'];
