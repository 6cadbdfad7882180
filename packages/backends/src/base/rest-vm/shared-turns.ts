/**
 * The calls that several servers make to one account, counted in their database: together they stay within the
 * provider's limits. A stored turn is a call that has begun.
 */
import type { SharedFacts } from '../kind.ts';
import { TURNS_FACT } from './account-facts.ts';
import { CALL_KINDS, type CallKind, type CallRule, type SharedTurns } from './call-limiter.ts';

/** A rule for more calls than this counts them in parts of its time, so that what is stored stays small. */
const MOST_TIMES = 60;
/** Calls arrive with varying delays. */
const SPARE_US = 50_000;
const SECOND_US = 1_000_000;
/** A call that waits no longer than this has the next turn before calls of less importance, of any server. */
const NEAR_US = 2 * SECOND_US;
/** The longest pause after a refusal; a later time was written by a wrong clock. */
const LONGEST_PAUSE_US = 60 * SECOND_US;

interface TurnState {
  /** For each rule: when calls were begun, and how many at that time (µs of the database). */
  readonly begun: readonly (readonly (readonly [number, number])[])[];
  /** The most important call that waits for the next turn. */
  readonly wanted: { readonly kind: CallKind; readonly until: number } | null;
  readonly pausedUntil: number;
}

interface Turn {
  readonly state: TurnState;
  /** µs until the call may begin; 0 = it has begun. */
  readonly wait: number;
}

export function sharedTurns(
  facts: SharedFacts,
  account: string,
  rules: readonly CallRule[],
): SharedTurns {
  const key = `${TURNS_FACT}:${account}`;
  const change = async (next: (state: TurnState, now: number) => Turn): Promise<number> =>
    await facts.amend(key, (value, now) => {
      const { state, wait } = next(stateIn(value, rules), now);
      return { value: JSON.stringify(state), result: wait / 1000 };
    });
  return {
    take: (kind) => change((state, now) => takeTurn(state, { rules, kind, now })),
    pause: async (ms) => {
      await change((state, now) => {
        const until = now + Math.min(ms * 1000, LONGEST_PAUSE_US);
        return { state: { ...state, pausedUntil: Math.max(state.pausedUntil, until) }, wait: 0 };
      });
    },
  };
}

function takeTurn(
  state: TurnState,
  of: { readonly rules: readonly CallRule[]; readonly kind: CallKind; readonly now: number },
): Turn {
  const { rules, kind, now } = of;
  const begun = rules.map((rule, index) => recent(rule, state.begun[index] ?? [], now));
  const paused = state.pausedUntil - now;
  const waits = rules.map((rule, index) =>
    applies(rule, kind) ? waitOf(rule, begun[index] ?? [], now) : 0,
  );
  const wait = Math.max(0, paused <= LONGEST_PAUSE_US ? paused : 0, ...waits);
  const wanted = state.wanted && isNear(state.wanted.until, now) ? state.wanted : null;
  if (wait > 0) {
    const mark = wait <= NEAR_US && isBefore(kind, wanted?.kind ?? null);
    const until = now + wait + NEAR_US / 4;
    return { state: { ...state, begun, wanted: mark ? { kind, until } : wanted }, wait };
  }
  if (wanted && isBefore(wanted.kind, kind)) {
    return { state: { ...state, begun, wanted }, wait: wanted.until - now };
  }
  const counted = begun.map((times, index) => {
    const rule = rules[index];
    return rule && applies(rule, kind) ? withCall(rule, times, now) : times;
  });
  const left = wanted?.kind === kind ? null : wanted;
  return { state: { ...state, begun: counted, wanted: left }, wait: 0 };
}

function recent(rule: CallRule, times: readonly (readonly [number, number])[], now: number) {
  // Times far ahead were written before the clock of the database was set back.
  return times.filter(([at]) => now - at < lengthOf(rule) && at - now <= partOf(rule));
}

function waitOf(rule: CallRule, times: readonly (readonly [number, number])[], now: number) {
  let left = times.reduce((sum, [, count]) => sum + count, 0) - rule.calls + 1;
  for (const [at, count] of times) {
    if (left <= 0) break;
    left -= count;
    if (left <= 0) return Math.max(1, at + lengthOf(rule) - now);
  }
  return 0;
}

/** Counted at the end of its part of the time, so that the limit holds whenever it began. */
function withCall(rule: CallRule, times: readonly (readonly [number, number])[], now: number) {
  const part = partOf(rule);
  const at = part === 0 ? now : Math.ceil(now / part) * part;
  const last = times.at(-1);
  if (last?.[0] === at) return [...times.slice(0, -1), [at, last[1] + 1] as const];
  return [...times, [at, 1] as const];
}

const lengthOf = ({ seconds }: CallRule): number => seconds * SECOND_US + SPARE_US;

const partOf = ({ calls, seconds }: CallRule): number =>
  calls <= MOST_TIMES ? 0 : Math.ceil((seconds * SECOND_US) / MOST_TIMES);

const isNear = (until: number, now: number): boolean => until > now && until - now <= 2 * NEAR_US;

/** Whether calls of the first kind are admitted before those of the second; null = there are none. */
function isBefore(kind: CallKind, other: CallKind | null): boolean {
  return other === null || CALL_KINDS.indexOf(kind) < CALL_KINDS.indexOf(other);
}

function applies({ kind }: CallRule, of: CallKind): boolean {
  return kind === undefined || kind === of;
}

function stateIn(value: string | null, rules: readonly CallRule[]): TurnState {
  const none: TurnState = { begun: rules.map(() => []), wanted: null, pausedUntil: 0 };
  if (value === null) return none;
  const stored = JSON.parse(value) as TurnState;
  // A server of another version may have other rules.
  return stored.begun.length === rules.length ? stored : { ...stored, begun: none.begun };
}
