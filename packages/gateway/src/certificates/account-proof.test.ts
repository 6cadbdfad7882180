import { createHash } from 'node:crypto';
import { crypto } from 'acme-client';
import { expect, it } from 'vitest';
import { accountProof } from './account-proof.ts';

it('answers authorities for an account as the client of authorities would', async () => {
  for (const key of [await crypto.createPrivateEcdsaKey(), await crypto.createPrivateRsaKey()]) {
    const jwk = JSON.stringify(crypto.getJwk(key));
    const thumbprint = createHash('sha256').update(jwk).digest('base64url');
    expect(accountProof(key.toString())).toBe(thumbprint);
  }
});
