/** Texts for users, and `Retry-After`, for services that do not answer. */
import { refusalText } from '@dstack/contract/wire';
import { jobError, runError, SECOND, type Timestamp } from '@dstack/core';
import type { Unavailable } from '@dstack/proxy';
import type { Unavailability } from './unavailability.ts';

/** Number of characters of a message that are shown. */
const MAX_MESSAGE = 500;

/** Returns the form in which the proxy shows it. */
export function shownUnavailability(one: Unavailability, now: Timestamp): Unavailable {
  return {
    cause: one.cause,
    text: unavailabilityText(one, false),
    memberText: unavailabilityText(one, true),
    retryAfter: retryAfter(one, now),
  };
}

/** `forMembers`: whether to include details that only members of the project may see. */
function unavailabilityText(one: Unavailability, forMembers: boolean): string {
  const more = (message: string | null) => (forMembers && message ? `: ${oneLine(message)}` : '');
  switch (one.cause) {
    case 'starting':
      return `starting: ${STAGES[one.stage]}`;
    case 'failing_probe':
      return `failing probe: it has run for ${one.seconds} s without being ready`;
    case 'no_capacity':
      return `no capacity${more(one.message ?? (one.refusal && refusalText(one.refusal)))}`;
    case 'exited':
      return `${exit(one.exitStatus)}${one.restarts ? ', is being started again' : ''}${more(one.message)}`;
    case 'crash_loop':
      return `crash loop: ${exit(one.exitStatus)}, ${one.exits} times in a row`;
    case 'failed':
      return `${failure(one.reason)}${more(one.message)}`;
    case 'unreachable':
      return 'its host is unreachable';
    case 'stopping':
      return 'its replica is being stopped';
    case 'scaled_to_zero':
      return one.wakes ? 'scaled to 0' : 'scaled to 0: apply it with more `replicas` to start it';
    case 'scheduled':
      return `not running: its schedule starts it at ${new Date(one.at / 1000).toISOString()}`;
    case 'ended':
      return runError(one.reason) ?? 'stopped';
  }
}

const STAGES = {
  app: 'its app is not ready yet',
  image: 'its image is being pulled',
  machine: 'its instance is being created',
  waiting: 'it waits for an instance',
} as const;

/** Seconds after which another attempt may succeed. */
function retryAfter(one: Unavailability, now: Timestamp): number {
  switch (one.cause) {
    case 'starting':
    case 'stopping':
      return 5;
    case 'scaled_to_zero':
      return one.wakes ? 5 : 60;
    case 'exited':
      return one.restarts ? 5 : 60;
    case 'scheduled':
      return Math.min(Math.max(Math.ceil((one.at - now) / SECOND), 1), 3600);
    case 'failing_probe':
    case 'unreachable':
      return 10;
    case 'ended':
      return 60;
    default:
      return 30;
  }
}

function exit(status: number | null): string {
  return status === null ? 'could not be started' : `exited with code ${status}`;
}

function failure(reason: Extract<Unavailability, { cause: 'failed' }>['reason']): string {
  return jobError(reason) ?? (reason ?? 'failed').replaceAll('_', ' ');
}

function oneLine(message: string): string {
  const text = message.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
}
