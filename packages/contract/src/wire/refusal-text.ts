/** Renders refusals as text. */
import { amountText, isUnknownPart, resourceText } from './quota-text.ts';
import type { Finding, FleetRefusal, Refusal, Rule, VolumeProblem } from './refusal.ts';

/**
 * Clients of dstack 0.22.5 show `no fleets` instead of `no capacity` if a text contains this
 * phrase.
 */
export const NO_FLEET_PHRASE = 'No matching fleet found';

/** Whether no fleet could ever take such a run, so that the cause is not a lack of capacity. */
export function hasNoFleet(refusal: Refusal): boolean {
  if (refusal.kind === 'volume' || refusal.kind === 'quota') return false;
  if (refusal.kind !== 'no-place') return true;
  return refusal.fleets.every(({ growth }) => growth?.rule === 'placement');
}

/** One sentence, as in `termination_reason_message` and in plans. */
export function refusalText(refusal: Refusal): string {
  switch (refusal.kind) {
    case 'no-fleets':
      return `${NO_FLEET_PHRASE}: the project has none. Create one with 'dstack apply'`;
    case 'fleets-missing':
      return `${NO_FLEET_PHRASE}: none of the specified fleets (${refusal.names.join(', ')}) exists`;
    case 'fleet-deleted':
      return `${NO_FLEET_PHRASE}: the fleet of the run was deleted`;
    case 'volume':
      return `Volume ${refusal.name} ${VOLUME_TEXTS[refusal.problem]}`;
    case 'quota':
      return quotaText(refusal);
    case 'no-place':
      return noPlaceText(refusal);
  }
}

/** `Quota: 6 of 8 GPUs used, this run needs 4`. */
function quotaText(refusal: Extract<Refusal, { kind: 'quota' }>): string {
  const { resource, used, limit, needed, of, fleet, held } = refusal;
  const owner = of === 'user' ? ' of the user' : '';
  const where = fleet === null ? '' : ` on fleet ${fleet}`;
  const amounts = `${amountText(resource, used)} of ${resourceText(resource, limit)} used`;
  const rest = held && used + needed <= limit ? ', the rest is kept for a run that is ahead' : '';
  const needs = isUnknownPart(resource, needed) ? 'more' : amountText(resource, needed);
  return `Quota${owner}${where}: ${amounts}, this run needs ${needs}${rest}`;
}

const VOLUME_TEXTS: Readonly<Record<VolumeProblem, string>> = {
  missing: 'not found',
  deleting: 'is being deleted',
  not_active: 'is not active',
  lost: 'is unusable: its backend does not have it any more',
  broken: 'is unusable: its backend reports a failure (dstack volume list -v)',
  one_instance: 'can be attached to one instance at a time, and several nodes mount it',
};

/** Maximum number of fleets named in one text; the rest is counted. */
const FLEETS_NAMED = 3;

function noPlaceText(refusal: Extract<Refusal, { kind: 'no-place' }>): string {
  const { fleets, nodes, selected } = refusal;
  const [only] = fleets;
  if (hasNoFleet(refusal)) return `${NO_FLEET_PHRASE} (${reasons(refusal)})`;
  if (selected) return `The specified instances cannot take the run now (${reasons(refusal)})`;
  if (fleets.every((fleet) => fleet.verdict === 'never')) {
    return `No fleet can take the run (${reasons(refusal)})`;
  }
  if (fleets.length === 1 && only) {
    const reason = fleetText(only, nodes);
    const state = isFull(only) ? 'is at capacity' : 'cannot take the run now';
    return `Fleet ${only.fleet} ${state}${reason === '' ? '' : `: ${reason}`}`;
  }
  return `No fleet has capacity for the run now (${reasons(refusal)})`;
}

/** Instances that are not usable for another reason than other runs do not make a fleet full. */
const UNUSABLE: readonly Rule[] = [
  'not_ready',
  'unhealthy',
  'host_fault',
  'reconnecting',
  'unreachable',
  'ending',
  'cordoned',
  'maintenance',
];

function isFull({ pool, growth }: FleetRefusal): boolean {
  if (growth?.rule === 'maintenance') return false;
  const isFixed = growth === null || growth.rule === 'fixed_size';
  return !isFixed || pool.length === 0 || pool.some(({ rule }) => !UNUSABLE.includes(rule));
}

function reasons({ fleets, nodes }: Extract<Refusal, { kind: 'no-place' }>): string {
  const named = fleets.slice(0, FLEETS_NAMED).map((fleet) => {
    const reason = fleetText(fleet, nodes);
    return `${fleet.fleet}: ${reason === '' ? 'it is at capacity' : reason}`;
  });
  const more = fleets.length - named.length;
  return named.join('; ') + (more > 0 ? `; and ${more} more` : '');
}

/** Why one fleet cannot take the run, without the fleet's name; may be empty. */
export function fleetText({ pool, growth }: FleetRefusal, nodes: number): string {
  const parts: string[] = [];
  if (nodes > 1 && growth?.rule !== 'placement') parts.push(`${nodes} nodes are needed at once`);
  if (growth !== null && growth.rule !== 'fixed_size') parts.push(growthText(growth));
  if (pool.length > 0) parts.push(`instances: ${pool.map(poolText).join(', ')}`);
  return parts.join(', ');
}

function poolText(finding: Finding): string {
  const count = finding.count ?? 1;
  switch (finding.rule) {
    case 'busy':
      return `${count} busy`;
    case 'held':
      return `${count} held for a run that is ahead`;
    case 'gpus_taken':
      return `${count} whose GPUs other jobs use`;
    case 'not_ready':
      return `${count} not ready yet`;
    case 'unhealthy':
      return `${count} unhealthy${count === 1 ? inBrackets(finding.has) : ''}`;
    case 'host_fault':
      return `${count} that cannot start jobs now${count === 1 ? inBrackets(finding.has) : ''}`;
    case 'cordoned':
      return `${count} ${(count === 1 ? finding.has : null) ?? 'cordoned'}`;
    case 'maintenance':
      return `${count} ${maintenanceText(finding)}`;
    case 'reconnecting':
      return `${count} being connected again`;
    case 'unreachable':
    case 'ending':
      return `${count} ${finding.rule}`;
    case 'imported':
      return `${count} on the server's machine, which only its own project may use`;
    case 'volume_place':
    case 'volume_in_use':
      return `${count} where ${volumeText(finding)}`;
    case 'fleet_spec':
      return `${count} that the fleet's configuration no longer allows`;
    default:
      return `${count} where ${unmetText(finding)}`;
  }
}

/** `asked`: what is known of the end of the run, if the window is still to come. */
export function maintenanceText({ asked, has }: Pick<Finding, 'asked' | 'has'>): string {
  const when = `in maintenance${has === null ? '' : ` ${has}`}`;
  return asked === null ? when : `${when}, before which a run of ${asked} may not have ended`;
}

/** Why a named volume cannot be mounted on a machine. */
export function volumeText({ rule, asked, has }: Finding): string {
  const where = has === null ? 'elsewhere' : `${rule === 'volume_in_use' ? 'to' : 'on'} ${has}`;
  const why = rule === 'volume_in_use' ? `while it is attached ${where}` : `since it is ${where}`;
  return `volume ${asked ?? ''} cannot be mounted ${why}`;
}

/** Features that a kind of machine lacks, as opposed to values that differ. */
const NEEDS: readonly Rule[] = [
  'nodes',
  'docker',
  'privileged',
  'volumes',
  'registry_auth',
  'image',
];

/** `` `cpu` is 8, asked for 500.. ``, or as much of it as is known; `of`: ` of its new instances`. */
function unmetText({ rule, asked, has }: Finding, of = ''): string {
  if (NEEDS.includes(rule)) {
    const where = of === '' ? '' : ` on${of.slice(' of'.length)}`;
    return `\`${rule}\` is not possible${where}${has === null ? '' : ` (${has})`}`;
  }
  const is = has === null ? 'does not fit' : `is ${has}`;
  return `\`${rule}\`${of} ${is}${asked === null ? '' : `, asked for ${asked}`}`;
}

const inBrackets = (value: string | null): string => (value === null ? '' : ` (${value})`);

/** `count`: the machines of other servers. */
const elsewhere = ({ count }: Finding): string =>
  count === null ? '' : ', and another server may have room on its own';
const larger = ({ count }: Finding): string =>
  count === null ? '' : ', but the machine of another server would';

/** Why a fleet gets no new instance, as the end of a sentence about the fleet. */
export function growthText(finding: Finding): string {
  switch (finding.rule) {
    case 'placement':
      return `its placement is not cluster, as ${finding.asked ?? 'several'} nodes need`;
    case 'nodes.max':
      return `nodes.max is ${finding.has ?? 'reached'}`;
    case 'imported':
      return 'only its own project adds instances to it';
    case 'creation_policy':
      return 'creation_policy is reuse';
    case 'instances':
      return 'only the specified instances may be used';
    case 'excluded':
      return `its ${finding.property ?? 'configuration'}${inBrackets(finding.has)} excludes the run's${inBrackets(finding.asked)}`;
    case 'site':
      return finding.has === null
        ? `it has no place for all ${finding.asked ?? ''} nodes in one region`
        : `its cluster is in ${finding.has} and finds no offer there`;
    case 'maintenance':
      return `it is ${maintenanceText(finding)}`;
    case 'cluster_starting':
      return 'the first instance of its cluster is being created, which decides where the others are';
    case 'no_offers':
      return `no offers match${inBrackets(finding.has)}${larger(finding)}`;
    case 'no_machines':
      return `this server makes no machines in ${finding.has ?? 'its backends'}`;
    case 'not_available':
      return finding.count === 1
        ? 'its one offer is not available now'
        : `none of its ${finding.count ?? ''} offers is available now`;
    case 'local_limit':
      return `the server's machine holds its most instances (${finding.has ?? '?'})${elsewhere(finding)}`;
    case 'gpus_taken':
      return `other jobs use the GPUs of the server's machine${elsewhere(finding)}`;
    case 'volume_place':
    case 'volume_in_use':
      return volumeText(finding);
    default:
      return unmetText(finding, ' of its new instances');
  }
}
