/** The rows of `considered`: each fleet with its instances and the offers for new ones. */

import type { Finding, FleetRefusal } from '@dstack/contract/wire';
import { isServerHost } from '../capabilities/capabilities.ts';
import type { FleetRecord, Id, InstanceRecord } from '../model/index.ts';
import { finding } from '../offers/findings.ts';
import { localHostOf } from '../offers/local-limits.ts';
import { referenceText } from '../offers/pool.ts';
import type { BackendsState } from '../placement/backend-answers.ts';
import type { RequestLook } from '../placement/look-ahead.ts';
import { candidateFleets, isClusterFor, nodesNeeded } from '../placement/place/choose-fleet.ts';
import { isElastic, whyNeverGrow } from '../placement/place/new-capacity.ts';
import { fitting, fleetName, lookAt } from '../placement/place/refusals.ts';
import type { Row } from './diagnosis.ts';
import type { BlockHolder, NamedRun } from './input.ts';
import type { Names } from './names.ts';
import { type Market, offerRows, row } from './offer-rows.ts';
import { growthRowText, instanceText } from './texts.ts';

export interface Surroundings {
  readonly names: Names;
  readonly holders: readonly BlockHolder[];
  readonly backends: BackendsState;
  readonly market: Market;
}

/** Instances of one fleet with a row of their own; the others are counted. */
const INSTANCES_NAMED = 20;

/** Rows of fleets that the run may not use by its own configuration. */
const OTHERS_NAMED = 20;

export function consideredRows(look: RequestLook, around: Surroundings): Row[] {
  const { ledger, request, refusal } = look;
  const fleets = candidateFleets(ledger, request);
  const refused = refusal?.kind === 'no-place' ? refusal.fleets : [];
  const rows = fleets.flatMap((fleet, index) =>
    fleetRows(look, fleet, refused[index] ?? null, around),
  );
  return [...rows, ...otherFleetRows(look, fleets), ...localOffRow(look, fleets, around)];
}

function fleetRows(
  look: RequestLook,
  fleet: FleetRecord,
  refused: FleetRefusal | null,
  around: Surroundings,
): Row[] {
  const name = fleetName(look.ledger, fleet, look.request);
  return [
    refused ? refusedRow(look, fleet, refused, around) : takingRow(look, fleet, name),
    ...instanceRows(look, fleet, name, around),
    ...(mayAskBackends(look, fleet) ? offerRows(look, fleet, name, around.market) : []),
  ];
}

function mayAskBackends({ request }: RequestLook, fleet: FleetRecord): boolean {
  return isElastic(fleet) && whyNeverGrow(fleet, request) === null && isClusterFor(fleet, request);
}

/** The gang has a place now, in this fleet or in another one. */
function takingRow({ option, refusal }: RequestLook, fleet: FleetRecord, name: string): Row {
  if (refusal?.kind === 'quota') {
    const text = 'a quota keeps the run from its capacity';
    return row('fleet', { fleet: name, verdict: 'full', rule: 'quota', text });
  }
  const isChosen = option?.fleet.id === fleet.id;
  const text = isChosen ? 'it takes the run now' : 'another fleet takes the run now';
  return row('fleet', { fleet: name, verdict: 'free', text });
}

function refusedRow(
  look: RequestLook,
  fleet: FleetRecord,
  { fleet: name, verdict, growth }: FleetRefusal,
  { names }: Surroundings,
): Row {
  const why = tooFew(look, fleet, verdict) ?? growth ?? finding('fixed_size');
  const isPlace = why.rule === 'nodes.max' || why.rule === 'local_limit';
  const holder = isPlace ? names.runs(look.ledger.growersOf(fleet.id)) : null;
  const { property } = why;
  const shown = (value: string | null) =>
    property === null || value === null ? value : `${property}: ${value}`;
  return row('fleet', {
    ...{ fleet: name, verdict, rule: why.rule, holder },
    ...{ asked: shown(why.asked), has: shown(why.has), count: why.count },
    text: growthRowText(why, holder),
  });
}

/** For a fleet of fixed hosts: fewer hosts fit than the gang needs at once. */
function tooFew(
  look: RequestLook,
  fleet: FleetRecord,
  verdict: FleetRefusal['verdict'],
): Finding | null {
  const { ledger, request } = look;
  const [node] = request.nodes;
  const isGiven = !isElastic(fleet) && isClusterFor(fleet, request);
  if (verdict !== 'never' || !node || !isGiven) return null;
  const { places } = fitting(ledger, fleet, request);
  if (places === 0) return null;
  const needed = nodesNeeded(ledger, request);
  return finding('fixed_size', { asked: String(needed), has: String(places) });
}

function instanceRows(
  look: RequestLook,
  fleet: FleetRecord,
  name: string,
  around: Surroundings,
): Row[] {
  const { ledger, request } = look;
  const [node] = request.nodes;
  if (!node || !isClusterFor(fleet, request)) return [];
  const seen = ledger.instancesOf(fleet.id).map((instance) => {
    const { verdict, findings } = lookAt(ledger, fleet, instance, node, request);
    const free = findings.length === 0;
    const rows = free
      ? [instanceRow(name, instance, 'free', null, null)]
      : findings.map((one) =>
          instanceRow(name, instance, verdict, one, holderOf(look, instance, one, around)),
        );
    // Instances that can take the gang later come before those that never can.
    return { rank: free ? 0 : verdict === 'full' ? 1 : 2, rows };
  });
  seen.sort((a, b) => a.rank - b.rank);
  const shown = seen.slice(0, INSTANCES_NAMED).flatMap((one) => one.rows);
  return [...shown, ...counted(seen.slice(INSTANCES_NAMED).flatMap((one) => one.rows))];
}

/** An instance in these states has a message on what is wrong, or how far it is. */
const HAVE_TROUBLE: ReadonlySet<Finding['rule']> = new Set([
  'unreachable',
  'host_fault',
  'reconnecting',
  'not_ready',
]);

function instanceRow(
  fleet: string,
  instance: InstanceRecord,
  verdict: Row['verdict'],
  found: Finding | null,
  holder: string | null,
): Row {
  const rule = found?.rule ?? null;
  const asked = found?.asked ?? null;
  const trouble = rule !== null && HAVE_TROUBLE.has(rule) ? instance.terminationMessage : null;
  const has = found?.has ?? trouble;
  return row('instance', {
    ...{ fleet, instance: instance.name, backend: instance.backend, region: instance.region },
    ...{ verdict, rule, asked, has, count: 1, holder },
    text: instanceText({ rule, asked, has, count: 1, holder }),
  });
}

/** Instances without a row of their own, counted by rule. */
function counted(rows: readonly Row[]): Row[] {
  const byRule = new Map<string, Row>();
  for (const one of rows) {
    const key = `${one.verdict} ${one.rule}`;
    const known = byRule.get(key);
    const count = (known?.count ?? 0) + 1;
    const holder = null;
    const text = `${count} more: ${instanceText({ ...one, count, holder })}`;
    byRule.set(key, { ...(known ?? one), instance: null, holder, count, text });
  }
  return [...byRule.values()];
}

/** The runs that use an instance, or have it reserved. */
export function holdersOf(
  { ledger, request }: RequestLook,
  instance: InstanceRecord,
  { rule, asked }: Pick<Finding, 'rule' | 'asked'>,
  { holders }: Pick<Surroundings, 'holders'>,
): readonly NamedRun[] {
  const on = (ids: ReadonlySet<Id>) =>
    holders.filter((one) => ids.has(one.instanceId)).map((one) => one.run);
  switch (rule) {
    case 'held':
      return ledger.takersOf(instance);
    case 'busy':
      return [...on(new Set([instance.id])), ...ledger.claimersOf(instance)];
    case 'gpus_taken': {
      const local = ledger.snapshot.instances.filter(
        (one) => isServerHost(one.backend) && localHostOf(one) === localHostOf(instance),
      );
      return on(new Set(local.map((one) => one.id)));
    }
    case 'volume_in_use': {
      const volume = asked === null ? null : ledger.volumes.named(request.run.projectId, asked);
      return volume?.users.map(({ run }) => run) ?? [];
    }
    default:
      return [];
  }
}

function holderOf(
  look: RequestLook,
  instance: InstanceRecord,
  found: Finding,
  around: Surroundings,
): string | null {
  return around.names.runs(holdersOf(look, instance, found, around));
}

/** Fleets that the run may not use: it names other fleets, or is in another one already. */
function otherFleetRows(look: RequestLook, candidates: readonly FleetRecord[]): Row[] {
  const { ledger, request } = look;
  const known = new Set(candidates.map((fleet) => fleet.id));
  const settled = ledger.fleetOfRun(request.run) !== null;
  const asked = settled ? null : (request.profile.fleets?.map(referenceText).join(', ') ?? null);
  return ledger.fleets
    .filter((fleet) => !known.has(fleet.id))
    .slice(0, OTHERS_NAMED)
    .map((fleet) => {
      const text = settled ? 'the run is already in another fleet' : `the run names ${asked}`;
      const about = {
        fleet: fleetName(look.ledger, fleet, look.request),
        rule: 'other_fleet',
        asked,
      } as const;
      return row('fleet', { ...about, verdict: 'never', text });
    });
}

/** Why the server host is not used, if the run needs a new instance or a fleet. */
function localOffRow(
  look: RequestLook,
  fleets: readonly FleetRecord[],
  { backends }: Surroundings,
): Row[] {
  const isMissed = fleets.length === 0 || fleets.some((fleet) => mayAskBackends(look, fleet));
  if (backends.localOff === null || !isMissed) return [];
  const about = { backend: 'local', region: 'local', rule: 'local_off' } as const;
  const has = backends.localOff;
  return [row('offers', { ...about, verdict: 'never', has, text: has })];
}
