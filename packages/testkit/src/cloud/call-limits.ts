import { type CloudClock, SECOND_US } from './clock.ts';
import type { CloudRequest } from './request.ts';

/** At most `calls` within `seconds`, of the requests that it applies to. */
export interface CallRule {
  readonly calls: number;
  readonly seconds: number;
  readonly appliesTo: (request: CloudRequest) => boolean;
}

export interface CallAllowance {
  readonly limit: number;
  readonly remaining: number;
  /** When the oldest counted call is forgotten, in µs. */
  readonly resetAt: number;
}

/** A client that keeps the pace exactly must not be refused because one request took longer than the next. */
const TOLERANCE = 0.9;

/** Counts the calls of one account, each rule in a window of its own. Refused calls do not count. */
export class CallLimits {
  readonly #clock: CloudClock;
  readonly #windows: readonly { readonly rule: CallRule; times: number[] }[];

  constructor(clock: CloudClock, rules: readonly CallRule[]) {
    this.#clock = clock;
    this.#windows = rules.map((rule) => ({ rule, times: [] }));
  }

  /** Counts a request. Otherwise: how many seconds until it would be admitted. */
  admit(request: CloudRequest): { readonly waitSeconds: number } | null {
    const now = this.#clock.now;
    const windows = this.#windows.filter(({ rule }) => rule.appliesTo(request));
    let waitUs = 0;
    for (const window of windows) {
      const length = window.rule.seconds * SECOND_US * TOLERANCE;
      window.times = window.times.filter((time) => now - time < length);
      const [oldest] = window.times;
      if (window.times.length < window.rule.calls || oldest === undefined) continue;
      waitUs = Math.max(waitUs, oldest + length - now);
    }
    if (waitUs > 0) return { waitSeconds: Math.ceil(waitUs / SECOND_US) };
    for (const window of windows) window.times.push(now);
    return null;
  }

  /** The calls that the first rule still allows, for headers; null = there is no rule. */
  get allowance(): CallAllowance | null {
    const [first] = this.#windows;
    if (first === undefined) return null;
    const { rule, times } = first;
    const resetAt = (times[0] ?? this.#clock.now) + rule.seconds * SECOND_US;
    return { limit: rule.calls, remaining: Math.max(0, rule.calls - times.length), resetAt };
  }
}
