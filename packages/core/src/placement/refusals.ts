/** Why a gang has no place now, as data: the same rules that `chooseFleet` applies, each by name. */
import type { Finding, FleetRefusal, Refusal, Verdict } from '@dstack/contract/wire';
import { matchesFleet } from '../instances/fleet-match.ts';
import type { FleetRecord, InstanceRecord } from '../model/index.ts';
import { finding, offerFindings, stateRule, summarize } from '../offers/findings.ts';
import { instanceFindings, referenceText } from '../offers/pool.ts';
import { candidateFleets } from './choose-fleet.ts';
import { isClusterFor, newSlots, nodesNeeded } from './fleet-option.ts';
import type { GangRequest, NodeRequest } from './gang-request.ts';
import type { CapacityLedger } from './ledger.ts';
import { newCapacityFor } from './new-capacity.ts';
import { type Ask, whyNeverGrow, whyNotGrow } from './new-slots.ts';
import { isAllowed, isOthersLocal, poolOffer } from './slots.ts';

/** Why `chooseFleet` finds nothing for the gang. */
export function refusalOf(ledger: CapacityLedger, request: GangRequest, ask: Ask): Refusal {
  const fleets = candidateFleets(ledger, request);
  if (fleets.length === 0) return withoutFleets(ledger, request);
  return {
    kind: 'no-place',
    nodes: nodesNeeded(ledger, request),
    selected: Boolean(request.profile.instances),
    fleets: fleets.map((fleet) => fleetRefusal(ledger, fleet, request, ask)),
  };
}

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
  const looks = node
    ? ledger.instancesOf(fleet.id).map((one) => lookAt(ledger, fleet, one, node, request))
    : [];
  const growth = growthRefusal(ledger, fleet, request, ask);
  const could = looks.filter((look) => look.verdict === 'full').length;
  const isPossible = growth.verdict === 'full' || could >= nodesNeeded(ledger, request);
  return {
    fleet: name,
    verdict: isPossible ? 'full' : 'never',
    pool: summarize(looks.flatMap((look) => look.findings)),
    growth: growth.finding,
  };
}

/** As the project of the run calls it. */
function fleetName(ledger: CapacityLedger, fleet: FleetRecord, request: GangRequest): string {
  if (fleet.projectId === request.run.projectId) return fleet.name;
  return `${ledger.snapshot.projectNames[fleet.projectId] ?? '?'}/${fleet.name}`;
}

/** What keeps one instance from serving a node. */
export interface InstanceLook {
  readonly verdict: Verdict;
  /** Empty: it is free, though not enough by itself. */
  readonly findings: readonly Finding[];
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
  if (unfit.length > 0) return never(unfit);
  const state = stateRule(instance);
  if (state === 'ending') return never([finding('ending')]);
  if (state !== null) return full([finding(state)]);
  if (!matchesFleet(instance, fleet)) return never([finding('fleet_spec')]);
  if (ledger.isHeld(instance)) return full([finding('held')]);
  const offer = poolOffer(ledger, fleet, instance, node, request);
  if (offer?.available) return full([]);
  const taken = offer !== null && !ledger.hasGpusFor(offer.offer);
  return full([finding(taken ? 'gpus_taken' : 'busy')]);
}

const never = (findings: readonly Finding[]): InstanceLook => ({ verdict: 'never', findings });
const full = (findings: readonly Finding[]): InstanceLook => ({ verdict: 'full', findings });

interface GrowthRefusal {
  readonly verdict: Verdict;
  readonly finding: Finding;
}

/** What can never be comes before what only now is not. */
function growthRefusal(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  request: GangRequest,
  ask: Ask,
): GrowthRefusal {
  const never = whyNeverGrow(fleet, request);
  if (never) return { verdict: 'never', finding: never };
  const slots = newSlots(ledger, fleet, request, ask);
  if ('none' in slots && !isPassing(slots.none)) {
    return { verdict: 'never', finding: noOffers(fleet, request, ask) ?? slots.none };
  }
  const max = fleet.spec.configuration.nodes?.max ?? null;
  const needed = nodesNeeded(ledger, request);
  if (max !== null && max < needed) {
    return { verdict: 'never', finding: finding('nodes.max', { has: String(max) }) };
  }
  const limit = whyNotGrow(ledger, fleet, needed, request);
  if (limit) return { verdict: 'full', finding: limit };
  if ('none' in slots) return { verdict: 'full', finding: slots.none };
  return { verdict: 'full', finding: finding('site', { asked: String(request.nodes.length) }) };
}

/** It may change without anybody changing the configuration. */
function isPassing({ rule }: Finding): boolean {
  return rule === 'not_available' || rule === 'local_limit' || rule === 'gpus_taken';
}

/** The rule that excludes the offers there are, where it is one and the same for all of them. */
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
  return isCommon ? { ...first, count: findings.length } : null;
}
