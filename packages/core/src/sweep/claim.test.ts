import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SECOND } from '../model/values.ts';
import {
  CLAIM_LIFETIME,
  CLAIM_WATCH,
  type Claim,
  hindranceOf,
  judgeClaims,
  soleSince,
  withNonce,
} from './claim.ts';

const T0 = 1_800_000_000 * SECOND;
const HOUR = 3600 * SECOND;

const claim = (claimant: string, nonce: string, renewedAt = T0): Claim => ({
  ...{ claimant, nonce, renewedAt },
});
const judge = (claims: readonly Claim[], now = T0) =>
  judgeClaims({ claimant: 'me', nonces: new Set(['mine']) }, claims, { now, newId: () => 'new' });

describe('claims of an account', () => {
  it('are no hindrance while all of them are this installation’s', () => {
    expect(judge([])).toEqual({ claimant: 'me', rivals: [], isOwnMissing: true });
    // The claim under a former name belongs to this installation too: only it has its nonce.
    const own = [claim('me', 'mine'), claim('before', 'mine')];
    expect(judge(own)).toEqual({ claimant: 'me', rivals: [], isOwnMissing: false });
  });

  it('of others hinder until they expire', () => {
    const other = claim('other', 'theirs');
    expect(judge([claim('me', 'mine'), other]).rivals).toEqual([other]);
    expect(judge([other], T0 + CLAIM_LIFETIME).rivals).toEqual([]);
  });

  it('expire by the clock that wrote them, whatever the clock of this server shows', () => {
    const recent = { ...claim('other', 'theirs'), age: HOUR };
    expect(judge([recent], T0 + 400 * CLAIM_LIFETIME).rivals).toEqual([recent]);
    const old = { ...claim('other', 'theirs'), age: CLAIM_LIFETIME };
    expect(judge([old], T0).rivals).toEqual([]);
  });

  it('with an unknown nonce reveal that a copy of this installation renews them', () => {
    const double = claim('me', 'unknown');
    expect(judge([double])).toMatchObject({ claimant: 'new', rivals: [double] });
  });
});

it('the hindrance is named, and ends hours after the last rival was seen', () => {
  expect(hindranceOf({ rivals: [claim('other', 'theirs')] }, null, T0)).toBe(
    "another installation with this server's tag has claimed the account, last at 2027-01-15T08:00:00.000Z; its claim expires 7 days after that",
  );
  expect(hindranceOf({ rivals: [] }, T0, T0)).toContain('for 3 hours first');
  expect(hindranceOf({ rivals: [] }, T0, T0 + CLAIM_WATCH)).toBeNull();
  expect(soleSince(T0, { rivals: [claim('other', 'theirs')] }, T0 + HOUR)).toBeNull();
});

it('the watch for rivals begins again when the time has stepped', () => {
  const alone = { rivals: [] };
  const later = T0 + CLAIM_WATCH;
  expect(soleSince(T0, alone, later, later - SECOND)).toBe(later - SECOND);
  expect(soleSince(later, alone, T0, T0 - SECOND)).toBe(T0 - SECOND);
  expect(soleSince(T0, alone, later, T0 - HOUR)).toBe(T0);
});

it('the watch begins again when the claim of this installation is missing in the list', () => {
  const later = T0 + CLAIM_WATCH;
  expect(soleSince(T0, { rivals: [], isOwnMissing: true }, later)).toBe(later);
  expect(soleSince(T0, { rivals: [], isOwnMissing: false }, later)).toBe(T0);
});

/** One installation: the content of its database, and the memory of its process. */
class Installation {
  claimant: string;
  nonces: readonly string[];
  since: number | null = null;
  readonly ids: () => string;

  constructor(claimant: string, nonces: readonly string[], ids: () => string) {
    this.claimant = claimant;
    this.nonces = nonces;
    this.ids = ids;
  }

  /** Returns whether it may end orphans now. */
  renew(account: Map<string, Claim>, now: number): boolean {
    const own = { claimant: this.claimant, nonces: new Set(this.nonces) };
    const verdict = judgeClaims(own, [...account.values()], { now, newId: this.ids });
    this.claimant = verdict.claimant;
    const nonce = this.ids();
    this.nonces = withNonce(this.nonces, nonce);
    account.set(this.claimant, { claimant: this.claimant, nonce, renewedAt: now });
    this.since = soleSince(this.since, verdict, now);
    return hindranceOf(verdict, this.since, now) === null;
  }

  copy(): Installation {
    return new Installation(this.claimant, this.nonces, this.ids);
  }
}

it('while an installation and copies of it renew their claims, none of them ends anything', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 20 }),
      fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 40 }),
      fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 150, maxLength: 150 }),
      (hoursBefore, order, jitter) => {
        let ids = 0;
        const newId = () => `id-${++ids}`;
        const account = new Map<string, Claim>();
        const original = new Installation('first', [], newId);
        for (let hour = 1; hour <= hoursBefore; hour++) original.renew(account, T0 + hour * HOUR);
        const now = T0 + hoursBefore * HOUR;
        const all = [original, original.copy(), original.copy()];
        // The order within an hour is random; each renews once.
        for (let hour = 0; hour < 12; hour++) {
          const shift = order[hour % order.length] ?? 0;
          const turns = [...all.slice(shift), ...all.slice(0, shift)];
          for (const [turn, one] of turns.entries()) {
            const at = now + hour * HOUR + turn * 1000 * SECOND + (jitter[hour] ?? 0) * SECOND;
            const mayEnd = one.renew(account, at);
            // The original may be the first to renew; resources of copies are not confirmed by
            // then.
            if (hour > 0 || one !== original) expect(mayEnd).toBe(false);
          }
        }
      },
    ),
    { numRuns: 200 },
  );
});

it('a restored installation may end orphans once its former claim has expired', () => {
  let ids = 0;
  const account = new Map<string, Claim>();
  const original = new Installation('first', [], () => `id-${++ids}`);
  original.renew(account, T0);
  const restored = original.copy();
  for (let hour = 1; hour < 10; hour++) original.renew(account, T0 + hour * HOUR);
  const lost = T0 + 9 * HOUR;
  let at = lost + HOUR;
  while (!restored.renew(account, at)) at += HOUR;
  expect(at - lost).toBeGreaterThanOrEqual(CLAIM_LIFETIME);
  expect(at - lost).toBeLessThanOrEqual(CLAIM_LIFETIME + CLAIM_WATCH + HOUR);
});
