import { tokenHash } from '../base/token-hash.ts';
import type { StoreContext } from '../context/context.ts';
import type { SignInCodes, SignInResult } from './types.ts';

export function createSignInCodes(context: StoreContext): SignInCodes {
  return {
    issue: ({ code, state, result, createdAt, expiresAt }) =>
      context.write(async ({ tx }) => {
        await tx
          .insertInto('sign_in_codes')
          .values({
            ...{ hash: tokenHash(code), state_hash: tokenHash(state) },
            user_id: result.kind === 'user' ? result.userId : null,
            refusal: result.kind === 'refused' ? result.reason : null,
            ...{ created_at: createdAt, expires_at: expiresAt },
          })
          .execute();
      }),
    redeem: ({ code, state, now }) =>
      context.write<SignInResult | null>(async ({ tx }) => {
        const used = await tx
          .deleteFrom('sign_in_codes')
          .where('hash', '=', tokenHash(code))
          .returningAll()
          .executeTakeFirst();
        if (used === undefined || used.expires_at <= now) return null;
        if (used.state_hash !== tokenHash(state)) return null;
        if (used.user_id !== null) return { kind: 'user', userId: used.user_id };
        return { kind: 'refused', reason: used.refusal ?? '' };
      }),
    async deleteExpired(before) {
      const result = await context.db
        .deleteFrom('sign_in_codes')
        .where('expires_at', '<', before)
        .executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}
