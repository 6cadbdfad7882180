import { expect, it } from 'vitest';
import { forEachStore, openWorld } from '../testing/stores.ts';
import type { SignInResult } from './types.ts';

const MINUTE = 60_000_000;

forEachStore((tests) => {
  const open = async (result?: SignInResult) => {
    const { store, userId } = await openWorld(tests);
    const issue = (code: string) =>
      store.signInCodes.issue({
        ...{ code, state: 'state', result: result ?? { kind: 'user', userId } },
        ...{ createdAt: 0, expiresAt: MINUTE },
      });
    return { codes: store.signInCodes, issue, userId };
  };
  const use = (code: string) => ({ code, state: 'state', now: MINUTE - 1 });

  it('redeems a code once, also when two servers are asked at once', async () => {
    const { codes, issue, userId } = await open();
    await issue('code');
    const answers = await Promise.all([codes.redeem(use('code')), codes.redeem(use('code'))]);
    expect(answers).toContainEqual({ kind: 'user', userId });
    expect(answers).toContain(null);
  });

  it('keeps why a person was refused', async () => {
    const refused = { kind: 'refused', reason: 'There is no such user' } as const;
    const { codes, issue } = await open(refused);
    await issue('code');
    expect(await codes.redeem(use('code'))).toEqual(refused);
  });

  it('refuses a code of another sign-in and one that has expired, and uses it up', async () => {
    const { codes, issue } = await open();
    for (const [index, change] of [{ state: 'other' }, { now: MINUTE }].entries()) {
      await issue(`code ${index}`);
      expect(await codes.redeem({ ...use(`code ${index}`), ...change })).toBeNull();
      expect(await codes.redeem(use(`code ${index}`))).toBeNull();
    }
    expect(await codes.redeem(use('unknown'))).toBeNull();
  });

  it('forgets codes that have expired', async () => {
    const { codes, issue } = await open();
    await issue('code');
    expect(await codes.deleteExpired(MINUTE)).toBe(0);
    expect(await codes.deleteExpired(MINUTE + 1)).toBe(1);
    expect(await codes.redeem(use('code'))).toBeNull();
  });
});
