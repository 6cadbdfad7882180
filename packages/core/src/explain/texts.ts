/** Texts of rules. */
import { type ExplainRule, type Finding, growthText, maintenanceText } from '@dstack/contract/wire';
import { SECOND, type Timestamp } from '../model/values.ts';
import { dollars } from '../offers/findings.ts';
import { instantText } from '../time/instant-text.ts';
import type { Row } from './diagnosis.ts';

type Facts = Pick<Row, 'rule' | 'asked' | 'has' | 'count' | 'holder'>;

/** A rule of an existing instance, as the end of `lab-0 …`. */
export function instanceText({ rule, asked, has, holder }: Facts): string {
  switch (rule) {
    case null:
      return 'is free';
    case 'busy':
      return holder === null ? 'is busy' : `is busy with ${holder}`;
    case 'gpus_taken':
      return holder === null ? 'has no free GPUs' : `has no free GPUs: ${holder} uses them`;
    case 'held':
      return `is kept for ${holder ?? 'a run that is ahead'}`;
    case 'reconnecting':
      return `lost its connection moments ago${has === null ? '' : ` (${has})`}`;
    case 'unreachable':
      return `is unreachable${has === null ? '' : ` (${has})`}`;
    case 'unhealthy':
      return `fails its health checks${has === null ? '' : ` (${has})`}`;
    case 'host_fault':
      return `cannot start jobs now${has === null ? '' : ` (${has})`}`;
    case 'cordoned':
      return `is ${has ?? 'cordoned'}`;
    case 'maintenance':
      return `is ${maintenanceText({ asked, has })}`;
    case 'not_ready':
      return `is not up yet${has === null ? '' : ` (${has})`}`;
    case 'ending':
      return 'is being terminated';
    case 'fleet_spec':
      return 'is no longer what its fleet requires';
    case 'instances':
      return 'is none of the instances that the run names';
    case 'blocks':
      return 'has no blocks of the requested size';
    case 'volume_in_use':
      return `is not where ${volumeHolderText(asked, has, holder)}`;
    default:
      return `${UNFIT}${unmetText(rule, asked, has)}`;
  }
}

/** A requirement, a place or a need that is not met. */
function unmetText(rule: ExplainRule, asked: string | null, has: string | null): string {
  switch (rule) {
    case 'nodes':
      return 'its machines do not reach each other, as several nodes have to';
    case 'docker':
      return `\`docker: true\` is not possible there${detail(has)}`;
    case 'privileged':
    case 'registry_auth':
      return `\`${rule}\` is not possible there${detail(has)}`;
    case 'volumes':
      return `the requested volumes cannot be mounted there${detail(has)}`;
    case 'image':
      return `the image's registry cannot be used there${detail(has)}`;
    case 'volume_place':
      return `volume ${asked ?? ''} is on ${has ?? 'another machine'}`;
    case 'volume_in_use':
      return volumeHolderText(asked, has, null);
    case 'reservation':
      return 'the reservation asked for is not known there';
    default:
      return `\`${rule}\`${comparison(asked, has)}`;
  }
}

function volumeHolderText(volume: string | null, where: string | null, holder: string | null) {
  const user = holder === null ? '' : `, where ${holder} uses it`;
  return `volume ${volume ?? ''} is attached now: on ${where ?? 'another instance'}${user}`;
}

const detail = (has: string | null): string => (has === null ? '' : ` (${has})`);

function comparison(asked: string | null, has: string | null): string {
  const is = has === null ? '' : ` is ${has}`;
  return asked === null ? is : `${is}${is === '' ? '' : ','} asked for ${asked}`;
}

/** Why a fleet gets no new instance for the run, as the end of `cloud: …`. */
export function growthRowText(growth: Finding, holder: string | null): string {
  switch (growth.rule) {
    case 'fixed_size':
      return growth.has === null
        ? 'it has only the hosts that its configuration names'
        : `only ${growth.has} of its hosts would fit, ${growth.asked} are needed at once`;
    case 'nodes.max':
    case 'local_limit':
      return holder === null
        ? growthText(growth)
        : `${growthText(growth)}, and what is left is kept for ${holder}`;
    default:
      return growthText(growth);
  }
}

/** A rule of a backend's offers, as the end of `aws: …`. */
export function offersText({ rule, asked, has, count, ...row }: Row): string {
  const n = count === 1 ? '1 offer' : `${count ?? 0} offers`;
  switch (rule) {
    case null:
      // Price 0 means free of charge, or that no price was entered.
      return row.price ? `${n} available from ${dollars(row.price)} an hour` : `${n} available`;
    case 'no_machines':
      return `${n} would fit, but this server makes no machines there`;
    case 'not_available':
      return `${n} would fit, none is available now`;
    case 'no_quota':
      return `${n} would fit, but the account has no quota for them`;
    case 'local_limit':
      return `it holds its most instances (${has ?? '?'})`;
    case 'gpus_taken':
      return 'other jobs use its GPUs';
    case 'backend_empty':
      return 'it has no offers';
    case 'backend_refused':
    case 'backend_timeout':
    case 'backend_error':
    case 'cordoned':
    case 'local_off':
      return has ?? 'it gave no offers';
    case 'max_price': {
      const match = row.offer === null ? '' : `, the cheapest match is ${row.offer} at ${has}`;
      return `${n} over \`max_price\` (${asked})${match}`;
    }
    default:
      return `${n}: ${unmetText(rule, asked, has)}`;
  }
}

/** Start of the text of a machine that does not meet a requirement. */
export const UNFIT = 'does not fit: ';

/** Makes the verb plural: `waits for …` becomes `wait for …`. */
export function pluralText(text: string): string {
  return text.replace(/^\w+/, (verb) => PLURALS[verb] ?? verb.replace(/s$/, ''));
}

const PLURALS: Readonly<Record<string, string>> = { is: 'are', has: 'have', does: 'do' };

/** A duration in words: the two largest units. */
export function durationText(micros: number): string {
  let rest = Math.max(0, Math.ceil(micros / SECOND));
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) parts.push(`${n} ${unit}`);
  }
  return parts.length === 0 ? '0 s' : parts.slice(0, 2).join(' ');
}

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const;

/** `in 5 min (2026-01-01 12:00:00 UTC)`, or `now`. */
export function atText(at: Timestamp, now: Timestamp): string {
  return at <= now ? 'now' : `in ${durationText(at - now)} (${instantText(at)})`;
}

/** `a`, `a and b`, `a, b and 3 more`. */
export function listText(words: readonly string[], most = 3): string {
  const shown = words.slice(0, most);
  const more = words.length - shown.length;
  if (more > 0) return `${shown.join(', ')} and ${more} more`;
  const last = shown.pop();
  if (last === undefined) return '';
  return shown.length === 0 ? last : `${shown.join(', ')} and ${last}`;
}
