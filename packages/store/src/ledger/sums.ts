/** Sums of the ledger by group. */
import {
  amountsWithin,
  type Id,
  type LedgerAmounts,
  minusAmounts,
  NO_AMOUNTS,
  type PricedInterval,
  plusAmounts,
} from '@dstack/core';
import type { LedgerQuestion } from './types.ts';

export const MICROS_OF_DAY = 86_400_000_000;

/** Where an amount belongs. `day`: days since the epoch. */
export interface LedgerPlace {
  readonly projectId: Id;
  readonly fleetId: Id;
  readonly fleetName: string;
  readonly gpu: string;
  readonly day: number;
  /** Null: of a machine. */
  readonly run: { readonly id: Id; readonly name: string; readonly userId: Id } | null;
  readonly tags: Readonly<Record<string, string>>;
}

export interface Sum {
  /** One of those that are in the group. */
  readonly place: LedgerPlace;
  used: LedgerAmounts;
  idle: LedgerAmounts;
}

function placeOfInterval(interval: PricedInterval, day: number): LedgerPlace {
  const { projectId, fleetId, fleetName, gpu, run } = interval;
  return { projectId, fleetId, fleetName, gpu, day, run, tags: run?.tags ?? {} };
}

/**
 * Adds amounts to their groups. Idle time is what is left of machines when the jobs on them, whose ever they are, are
 * subtracted.
 */
export class LedgerSums {
  readonly sums = new Map<string, Sum>();
  used = NO_AMOUNTS;
  idle = NO_AMOUNTS;
  readonly #question: Pick<LedgerQuestion, 'by' | 'tag' | 'projectIds'>;
  readonly #own: ReadonlySet<Id> | null;

  constructor(question: Pick<LedgerQuestion, 'by' | 'tag' | 'projectIds'>) {
    this.#question = question;
    this.#own = question.projectIds === null ? null : new Set(question.projectIds);
  }

  /** `owner`: the project of the machine on which a job ran; null = it is none of those asked for, or not known. */
  add(place: LedgerPlace, amounts: LedgerAmounts, owner: Id | null): void {
    const isOwn = this.#own === null || this.#own.has(place.projectId);
    if (place.run === null) {
      this.#addIdle(place, amounts);
      return;
    }
    if (isOwn) {
      this.used = plusAmounts(this.used, amounts);
      const sum = this.#sumOf(place);
      sum.used = plusAmounts(sum.used, amounts);
    }
    if (owner !== null) {
      this.#addIdle({ ...place, projectId: owner, run: null }, minusAmounts(NO_AMOUNTS, amounts));
    }
  }

  /**
   * The part of an interval within a period, in microseconds. Only groups of days need its days, of which a machine has
   * hundreds in a year.
   */
  addInterval(
    interval: PricedInterval,
    owner: Id | null,
    period: { readonly since: number; readonly until: number },
  ): void {
    const until = Math.min(interval.until, period.until);
    for (let at = Math.max(interval.since, period.since); at < until; ) {
      const day = Math.floor(at / MICROS_OF_DAY);
      const end = this.#question.by === 'day' ? Math.min(until, (day + 1) * MICROS_OF_DAY) : until;
      this.add(placeOfInterval(interval, day), amountsWithin(interval, at, end), owner);
      at = end;
    }
  }

  #addIdle(place: LedgerPlace, amounts: LedgerAmounts): void {
    this.idle = plusAmounts(this.idle, amounts);
    const { by } = this.#question;
    if (by === 'run' || by === 'user' || by === 'tag') return;
    const sum = this.#sumOf(place);
    sum.idle = plusAmounts(sum.idle, amounts);
  }

  #sumOf(place: LedgerPlace): Sum {
    const key = this.#keyOf(place);
    const known = this.sums.get(key);
    if (known !== undefined) return known;
    const sum = { place, used: NO_AMOUNTS, idle: NO_AMOUNTS };
    this.sums.set(key, sum);
    return sum;
  }

  #keyOf({ run, projectId, fleetId, gpu, day, tags }: LedgerPlace): string {
    const { by, tag } = this.#question;
    switch (by) {
      case 'run':
        return run?.id ?? '';
      case 'user':
        return run?.userId ?? '';
      case 'project':
        return projectId;
      case 'fleet':
        return fleetId;
      case 'gpu':
        return gpu;
      case 'day':
        return String(day);
      case 'tag':
        return tagValue(tags, tag);
    }
  }
}

export const tagValue = (
  tags: Readonly<Record<string, string>>,
  tag: string | null | undefined,
): string => (tag != null && Object.hasOwn(tags, tag) ? String(tags[tag]) : '');
