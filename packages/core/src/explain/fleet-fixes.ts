/** Changes to fleets or to the server that give a waiting gang a place. */

import { type Fix, FleetSpec } from '@dstack/contract/wire';
import { isServerHost } from '../capabilities/capabilities.ts';
import { nodesOf } from '../instances/fleet-match.ts';
import type { FleetRecord, Id, PlacementSnapshot } from '../model/index.ts';
import { LOCAL_LACKS } from '../offers/findings.ts';
import type { GangLook } from '../placement/look-ahead.ts';
import { fleetName } from '../placement/place/refusals.ts';
import { EMPTY_PROFILE } from '../profile/merge.ts';
import { isSshHost } from '../status/index.ts';
import { applyCommand } from './commands.ts';
import { fix, type Row } from './diagnosis.ts';
import type { Repair } from './repair.ts';
import { type TrialOutcome, trialOutcome } from './trials.ts';

export function fleetFixes(repair: Repair): Fix[] {
  return [
    ...sizeFixes(repair),
    ...clusterFixes(repair),
    ...serverFixes(repair),
    ...lookFixes(repair),
  ];
}

/** Fleets of the run's own project to which the rule applies. */
function fleetsUnder({ waiting: { look, rows } }: Repair, rule: string): FleetRecord[] {
  const names = new Set(rows.filter((one) => one.rule === rule).map((one) => one.fleet));
  const { projectId } = look.gang.run;
  return look.ledger.fleets.filter(
    (fleet) =>
      fleet.projectId === projectId && names.has(fleetName(look.ledger, fleet, look.request)),
  );
}

function changed(
  fleet: FleetRecord,
  keys: Partial<FleetSpec['configuration']>,
): (snapshot: PlacementSnapshot) => PlacementSnapshot {
  const configuration = { ...fleet.spec.configuration, ...keys };
  const spec = { ...fleet.spec, configuration };
  return (snapshot) => ({
    ...snapshot,
    fleets: snapshot.fleets.map((one) => (one.id === fleet.id ? { ...one, spec } : one)),
  });
}

const later = (outcome: TrialOutcome): string =>
  outcome === 'later' ? '; the run then waits until something is free' : '';

/** Raises `nodes` of a fleet. */
function sizeFixes(repair: Repair): Fix[] {
  const { look } = repair.waiting;
  return fleetsUnder(repair, 'nodes.max').flatMap((fleet) => {
    const nodes = nodesOf(fleet);
    if (nodes === null) return [];
    const max = look.ledger.activeIn(fleet.id) + look.request.nodesRequired;
    const placed = repair.trials.placed(changed(fleet, { nodes: { ...nodes, max } }));
    const outcome = placed ? trialOutcome(placed) : 'never';
    if (!repair.trials.helps(outcome)) return [];
    const shared = isOnServerHost(placed) ? SHARES_SERVER_HOST : '';
    const text = `Let fleet ${fleet.name} have ${max} instances${shared}${later(outcome)}`;
    return [fix(text, { command: applyCommand(fleet), value: `nodes: ${nodes.min}..${max}` })];
  });
}

/** Another instance adds no machine there. */
const SHARES_SERVER_HOST =
  ", all on the server's machine: the run then shares its CPUs and memory with what runs there";

function isOnServerHost(placed: GangLook | null): boolean {
  const slots = placed?.option?.slots ?? [];
  return slots.some((slot) => slot.kind === 'new' && isServerHost(slot.offers[0]?.backend ?? null));
}

function clusterFixes(repair: Repair): Fix[] {
  return fleetsUnder(repair, 'placement').flatMap((fleet) => {
    const outcome = repair.trials.world(changed(fleet, { placement: 'cluster' }));
    if (!repair.trials.helps(outcome)) return [];
    const text = `Make fleet ${fleet.name} a cluster${later(outcome)}`;
    return [fix(text, { command: applyCommand(fleet), value: 'placement: cluster' })];
  });
}

/** Changes that only the operator of the server can make. */
function serverFixes({ waiting, world, around, trials }: Repair): Fix[] {
  const fixes: Fix[] = [];
  if (waiting.rows.some((one) => one.rule === 'local_limit')) {
    const onMachines = world.snapshot.serverHosts.map(({ instances }) => instances);
    const localMaxInstances =
      Math.max(world.ctx.settings.localMaxInstances, ...onMachines) +
      waiting.look.request.nodesRequired;
    const outcome = trials.world((snapshot) => snapshot, { localMaxInstances });
    if (trials.helps(outcome)) {
      const value = `DSTACK_LOCAL_MAX_INSTANCES=${localMaxInstances}`;
      const text = 'Start the server with room for more instances on its machine';
      fixes.push(fix(`${text}${later(outcome)}`, { value }));
    }
  }
  if (waiting.rows.some((one) => lacksTrustOnly(one, waiting.rows))) {
    const text =
      'Start the server with the right for jobs to use its whole machine, if it is yours alone';
    fixes.push(fix(text, { value: 'DSTACK_LOCAL_TRUSTED=1' }));
  }
  for (const note of around.market.notes) {
    if (note.rule !== 'cordoned') {
      fixes.push(fix(`Repair backend ${note.backend}: ${note.text}`));
    }
  }
  return fixes;
}

/** The server host would take the run if its jobs were trusted. */
function lacksTrustOnly(
  { kind, fleet, instance, backend, has }: Row,
  rows: readonly Row[],
): boolean {
  if (!isServerHost(backend) || has !== LOCAL_LACKS.trusted) return false;
  const same = (one: Row) =>
    one.kind === kind &&
    one.fleet === fleet &&
    one.instance === instance &&
    one.backend === backend;
  return rows.filter(same).length === 1;
}

/** Creates a fleet if no fleet of the project can ever take the run. */
export function newFleetFixes({ waiting, trials, world }: Repair): Fix[] {
  const { look } = waiting;
  const { refusal, request } = look;
  const isPossible =
    refusal?.kind === 'no-place' && refusal.fleets.some((f) => f.verdict === 'full');
  const [missing] = refusal?.kind === 'fleets-missing' ? refusal.names : [];
  // Fleets of other projects can only be imported.
  const isNamed = missing === undefined ? request.profile.fleets : missing.includes('/');
  if (isPossible || isNamed || look.ledger.fleetOfRun(request.run) !== null) return [];
  const name = missing ?? freeName(world.snapshot.fleets);
  const command = `dstack apply -f ${name}.dstack.yml`;
  const nodes = request.nodesRequired;
  const isCluster = request.nodes[0]?.needs.multinode === true;
  const placement = isCluster ? ['placement: cluster'] : [];
  const fleet = newFleet(request.run.projectId, name, {
    nodes: `0..${nodes}`,
    placement: isCluster ? 'cluster' : null,
  });
  const outcome = trials.world((snapshot) => ({
    ...snapshot,
    fleets: [...snapshot.fleets, fleet],
    projects: withRight(snapshot.projects, fleet),
  }));
  if (outcome === 'now') {
    const value = ['type: fleet', `name: ${name}`, `nodes: 0..${nodes}`, ...placement].join('\n');
    const text = 'Create a fleet that creates instances as runs need them';
    return [fix(text, { command, value })];
  }
  const hosts = Array.from({ length: nodes }, (_, n) => `    - <host ${n + 1}>`);
  const ssh = [
    'ssh_config:',
    '  user: <user>',
    '  identity_file: ~/.ssh/id_rsa',
    '  hosts:',
    ...hosts,
  ];
  const value = ['type: fleet', `name: ${name}`, ...placement, ...ssh].join('\n');
  const text = 'Create an SSH fleet of hosts that meet the requirements of the run';
  return [fix(text, { command, value })];
}

/** The owner may use the fleet. */
function withRight(
  projects: PlacementSnapshot['projects'],
  { id, projectId }: FleetRecord,
): PlacementSnapshot['projects'] {
  const owner = projects.get(projectId);
  if (!owner) return projects;
  return new Map([...projects, [projectId, { ...owner, fleets: new Set([...owner.fleets, id]) }]]);
}

function freeName(fleets: readonly FleetRecord[]): string {
  const taken = new Set(fleets.map((fleet) => fleet.name));
  for (let n = 1; ; n++) {
    const name = n === 1 ? 'fleet' : `fleet-${n}`;
    if (!taken.has(name)) return name;
  }
}

function newFleet(projectId: Id, name: string, configuration: object): FleetRecord {
  return {
    id: 'new',
    projectId,
    name,
    spec: FleetSpec.parse({
      configuration: { type: 'fleet', name, ...configuration },
      profile: EMPTY_PROFILE,
    }),
    status: 'active',
    statusMessage: null,
    createdAt: 0,
    consolidationAttempt: 0,
    lastConsolidatedAt: null,
    masterInstanceId: null,
    maintenance: null,
    nextPassAt: null,
    deleted: false,
    version: 0,
  };
}

/** Points to instances that a person has to check. */
function lookFixes({ waiting }: Repair): Fix[] {
  const troubled = waiting.rows.filter((one) => one.instance !== null && isTroubled(one));
  const own = troubled.filter((one) => one.fleet !== null && !one.fleet.includes('/'));
  return own.slice(0, LOOKED_AT).map((one) =>
    fix(`See why ${one.instance} ${one.text}`, {
      command: `dstack explain instance ${one.instance}`,
    }),
  );
}

/** Cloud instances start by themselves; an SSH host may need a repair. */
function isTroubled({ rule, backend }: Row): boolean {
  if (rule === 'unreachable' || rule === 'unhealthy' || rule === 'host_fault') return true;
  if (rule === 'cordoned') return true;
  return rule === 'not_ready' && isSshHost(backend);
}

const LOOKED_AT = 3;
