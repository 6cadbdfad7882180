/** The schedule on which backends are asked about instances and volumes. */

import { capabilitiesOf } from '../capabilities/capabilities.ts';
import { sameJson } from '../compare/same.ts';
import type {
  Id,
  ObservationRecord,
  ObservedState,
  Timestamp,
  VolumeRecord,
} from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { type SilenceLimit, silence } from '../time/silence.ts';

/** An API may omit an instance right after its creation, or for a moment between two answers. */
export const MISSING_TOLERANCE = silence(60);

/** How long an active volume may be missing before it counts as lost. */
export function volumeTolerance({ backend }: Pick<VolumeRecord, 'backend'>): SilenceLimit {
  return capabilitiesOf(backend).currentVolumes ? silence(0) : MISSING_TOLERANCE;
}

/** Bounds of the delay between two questions; within them, it is a tenth of the state's age. */
const DELAYS = {
  pending: [SECOND, 15 * SECOND],
  ready: [5 * SECOND, 300 * SECOND],
  missing: [5 * SECOND, 15 * SECOND],
} as const;

/** Delay after a question that was not answered, doubled each time. */
const ERROR_DELAYS = [SECOND, 60 * SECOND] as const;

/** No question waits for longer than this. */
export const LONGEST_OBSERVATION_DELAY = DELAYS.ready[1];

type AnyObservation = { readonly state: string; readonly queued?: true };

/** The record of an instance before the first question. */
export function expectedObservation(instanceId: Id, now: Timestamp): ObservationRecord {
  return { instanceId, ...notAskedYet(now) };
}

export function notAskedYet(now: Timestamp) {
  return {
    observation: { state: 'pending', text: '' },
    since: now,
    checkedAt: now,
    error: null,
    nextPassAt: now + DELAYS.pending[0],
  } as const;
}

/**
 * `isSettled`: further questions report nothing new, because the backend reports changes itself or
 * has none.
 */
export function observed<R extends ObservedState<AnyObservation>>(
  before: R,
  observation: R['observation'],
  { now, isSettled }: { readonly now: Timestamp; readonly isSettled: boolean },
): R {
  const { state, queued } = observation;
  const isSame = before.observation.state === state && before.observation.queued === queued;
  const since = isSame ? before.since : now;
  const isLast = state === 'ready' && isSettled;
  const nextPassAt = isLast || !isAskedAgain(state) ? null : now + delayAt(state, now - since);
  return { ...before, observation, since, checkedAt: now, error: null, nextPassAt };
}

/** The backend did not answer, so its previous report still applies. */
export function notObserved<R extends ObservedState<AnyObservation>>(
  before: R,
  error: string,
  now: Timestamp,
): R {
  const [least, most] = ERROR_DELAYS;
  const waited = before.error === null ? 0 : now - before.checkedAt;
  const delay = Math.min(most, Math.max(least, 2 * waited));
  return { ...before, checkedAt: now, error, nextPassAt: now + delay };
}

/** Whether a pass of its instance or volume may decide differently now. */
export function isNews<R extends ObservedState<AnyObservation>>(before: R, after: R): boolean {
  return before.error !== after.error || !sameJson(before.observation, after.observation);
}

/**
 * Whether what is stored would lead to another decision. When it is asked again is kept in memory: a
 * stored time that has passed only has it asked at once after a restart. `known`: as it is stored.
 */
export function isWorthStoring<R extends ObservedState<AnyObservation>>(
  known: R | undefined,
  after: R,
): boolean {
  if (known === undefined || isNews(known, after)) return true;
  return (known.nextPassAt === null) !== (after.nextPassAt === null);
}

/** `interrupted` and `failed` are final. */
function isAskedAgain(state: string): state is keyof typeof DELAYS {
  return Object.hasOwn(DELAYS, state);
}

function delayAt(state: keyof typeof DELAYS, age: Timestamp): Timestamp {
  const [least, most] = DELAYS[state];
  return Math.min(most, Math.max(least, Math.floor(age / 10)));
}
