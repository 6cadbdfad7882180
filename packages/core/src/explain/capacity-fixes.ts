/** Changes that give a waiting gang a place. Placement has tried each of them. */
import { formatInstanceResources } from '@dstack/contract';
import type { Fix, Profile, Refusal } from '@dstack/contract/wire';
import type { FleetRecord, Gang } from '../model/index.ts';
import { dollars } from '../offers/findings.ts';
import { referenceText } from '../offers/pool.ts';
import { comesLater } from '../placement/eligible/eligible.ts';
import type { GangLook } from '../placement/look-ahead.ts';
import { candidateFleets, nodesNeeded } from '../placement/place/choose-fleet.ts';
import { fleetName, undecidedUntil } from '../placement/place/refusals.ts';
import { mergedFleetProfile } from '../profile/merge.ts';
import { applyCommand } from './commands.ts';
import type { Surroundings } from './considered.ts';
import { fix } from './diagnosis.ts';
import { fleetFixes, newFleetFixes } from './fleet-fixes.ts';
import { holderFixes } from './holder-fixes.ts';
import { type NearCapacity, nearCapacity } from './near-capacity.ts';
import { type Relaxation, relaxation } from './relax.ts';
import type { Repair } from './repair.ts';
import { listText } from './texts.ts';
import {
  type TrialOutcome,
  Trials,
  type TrialWorld,
  withPlacement,
  withProfile,
} from './trials.ts';
import type { Waiting } from './waiting.ts';

export function capacityFixes(waiting: Waiting, world: TrialWorld, around: Surroundings): Fix[] {
  if (waiting.look.option) return [];
  const trials = new Trials(waiting.look, world);
  const repair: Repair = { waiting, world, around, trials };
  const found = [
    ...holderFixes(repair),
    ...machineFixes(repair),
    ...permissionFixes(repair),
    ...exclusionFixes(repair),
    ...fleetFixes(repair),
  ];
  return [...found, ...(found.length === 0 ? newFleetFixes(repair) : []), ...patienceFix(repair)];
}

/** How many sets of rules are tried, and how many of these fixes are listed. */
const TRIED = 8;
const TOLD = 3;

/** Changes that make the run fit a machine it does not fit now. */
function machineFixes({ waiting, around, trials }: Repair): Fix[] {
  const { look } = waiting;
  const [node] = look.request.nodes;
  if (!node) return [];
  const found: Fix[] = [];
  for (const machine of nearCapacity(look, around.market).slice(0, TRIED)) {
    const { requirements } = node;
    const change = relaxation(machine.rules, requirements, look.request.profile, machine.offer);
    if (change === null || found.length === TOLD) continue;
    const outcome = trials.gang(change.apply);
    if (trials.helps(outcome)) found.push(machineFix(waiting, machine, change, outcome));
  }
  return found;
}

function machineFix(
  { look }: Waiting,
  machine: NearCapacity,
  change: Relaxation,
  outcome: TrialOutcome,
): Fix {
  const text = `${machineWish(machine, change)}${laterText(outcome)}`;
  return fix(text, { command: applyCommand(look.gang.run, change.flags), value: change.value });
}

function machineWish({ name, offer, rules }: NearCapacity, change: Relaxation): string {
  if (rules.length === 1 && rules[0] === 'max_price') {
    return `Raise \`max_price\`: the cheapest match is ${name} at ${dollars(offer.price)} an hour`;
  }
  const properties = listText(change.rules.map((rule) => `\`${rule}\``));
  const price = offer.price > 0 ? `, ${dollars(offer.price)} an hour` : '';
  return `Change ${properties} to what ${name} has (${formatInstanceResources(offer.instance.resources)}${price})`;
}

const laterText = (outcome: TrialOutcome): string =>
  outcome === 'later' ? '; it then waits until something is free' : '';

/** Changes that remove limits of the run's own configuration. */
function permissionFixes({ waiting: { look }, trials }: Repair): Fix[] {
  const { profile } = look.request;
  const { run } = look.gang;
  const fixes: Fix[] = [];
  const attempt = (
    change: Partial<Profile>,
    text: string,
    value: string,
    flags: string[] | null,
  ) => {
    const outcome = trials.gang((gang) => withProfile(gang, change));
    if (!trials.helps(outcome)) return;
    const command = flags === null ? null : applyCommand(run, flags);
    fixes.push(fix(`${text}${laterText(outcome)}`, { command, value }));
  };
  if (profile.creation_policy === 'reuse') {
    const value = 'creation_policy: reuse-or-create';
    const change = { creation_policy: 'reuse-or-create' } as const;
    attempt(change, 'Let it have a new instance', value, []);
  }
  if (profile.instances) {
    attempt(
      { instances: null },
      'Remove `instances`, so that it may use others',
      'instances: null',
      [],
    );
  }
  for (const fleet of otherFleets(look).slice(0, TOLD)) {
    const isOwn = fleet.projectId === run.projectId;
    const project = isOwn ? null : (look.ledger.snapshot.projectNames[fleet.projectId] ?? null);
    const reference = { name: fleet.name, project };
    const name = referenceText(reference);
    const text = `Let it use fleet ${name}`;
    attempt({ fleets: [reference] }, text, `fleets: [${name}]`, ['--fleet', name]);
  }
  return fixes;
}

/** Fleets that the run may use but does not name. */
function otherFleets({ ledger, request }: GangLook): FleetRecord[] {
  const { fleets: named } = request.profile;
  if (!named) return [];
  const names = new Set(named.map(referenceText));
  return ledger.fleets.filter((fleet) => !names.has(fleetName(ledger, fleet, request)));
}

/** If run and fleet exclude each other, the run can adopt the fleet's value. */
function exclusionFixes({ waiting: { look }, trials }: Repair): Fix[] {
  const refused = look.refusal?.kind === 'no-place' ? look.refusal.fleets : [];
  // A refusal has one entry for each candidate, in the same order.
  return candidateFleets(look.ledger, look.request).flatMap((fleet, index) => {
    const { rule, property = null, has } = refused[index]?.growth ?? {};
    // Resources are ranges; the fleet's whole range is not what the run should request.
    if (rule !== 'excluded' || property === null || property.includes('.')) return [];
    const wanted = mergedFleetProfile(fleet.spec)[property as keyof Profile] ?? null;
    if (wanted === null) return [];
    const change = (gang: Gang) =>
      withPlacement(withProfile(gang, { [property]: wanted }), { [property]: wanted });
    const outcome = trials.gang(change);
    if (!trials.helps(outcome)) return [];
    const value = Array.isArray(wanted) ? `${property}: [${has}]` : `${property}: ${has}`;
    const text = `Ask for the \`${property}\` of fleet ${fleet.name}${laterText(outcome)}`;
    return [fix(text, { command: applyCommand(look.gang.run), value })];
  });
}

/** A run without retry fails at once; with retry it can wait for capacity. */
function patienceFix({ waiting: { look, isPossible } }: Repair): Fix[] {
  const [job] = look.gang.jobs;
  const events = job?.spec.retry?.on_events ?? [];
  // They wait anyway, as do those for which others have to leave.
  const waits = comesLater(look.gang.run) || (job?.reclaim ?? null) !== null;
  if (!job || waits || events.includes('no-capacity')) return [];
  if (!isPossible || look.refusal?.kind !== 'no-place' || waitsAnyway(look.refusal)) return [];
  const nodes = nodesNeeded(look.ledger, look.request);
  const what = nodes > 1 ? `${nodes} nodes are` : 'a place is';
  return [
    fix(`Let it wait until ${what} free`, {
      command: applyCommand(look.gang.run, ['--retry']),
      value: `retry:\n  on_events: [${['no-capacity', ...events].join(', ')}]\n  duration: 1d`,
    }),
  ];
}

/** See `waitLimit`: no run ends because of what passes by itself. */
function waitsAnyway(refusal: Refusal): boolean {
  const undecided = undecidedUntil(refusal);
  return undecided !== null && undecided !== 'reconnecting' && undecided !== 'other_servers';
}
