import { generateKeyPairSync, sign } from 'node:crypto';
import { expect, it } from 'vitest';
import type { OutgoingAnswer } from '../outgoing/outgoing.ts';
import { OidcProvider } from './oidc-provider.ts';

const ISSUER = 'https://id.example.org';
const PROOF = { state: 'state', nonce: 'nonce', verifier: 'v'.repeat(43) };
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** A provider whose ID tokens have these claims besides the usual ones. */
function provider(claims: object): OidcProvider {
  const seconds = Math.floor(Date.now() / 1000);
  const documents: Readonly<Record<string, object>> = {
    '/.well-known/openid-configuration': {
      ...{ issuer: ISSUER, jwks_uri: `${ISSUER}/keys`, token_endpoint: `${ISSUER}/token` },
      authorization_endpoint: `${ISSUER}/authorize`,
    },
    '/keys': { keys: [{ ...publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
    '/token': {
      ...{ access_token: 'a', token_type: 'Bearer' },
      id_token: signed({
        ...{ iss: ISSUER, aud: 'dstack', iat: seconds, exp: seconds + 60, nonce: PROOF.nonce },
        ...{ email: 'ann@example.org', email_verified: true, ...claims },
      }),
    },
  };
  const send = async (url: string): Promise<OutgoingAnswer> => ({
    status: 200,
    header: (name) => (name === 'content-type' ? 'application/json' : null),
    body: Buffer.from(JSON.stringify(documents[new URL(url).pathname])),
  });
  return new OidcProvider({
    ...{ name: 'okta', issuer: ISSUER, clientId: 'dstack', clientSecret: 's', trustsEmail: false },
    ...{ url: 'https://dstack.example.org', outgoing: { send }, now: Date.now, clockSkew: () => 0 },
  });
}

function signed(claims: object): string {
  const parts = [{ alg: 'RS256' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const signature = sign('sha256', Buffer.from(parts.join('.')), privateKey);
  return [...parts, signature.toString('base64url')].join('.');
}

const claimsOf = (claims: object) => provider(claims).claims({ code: 'c', issuer: null }, PROOF);

it('identifies a person by issuer and subject', async () => {
  expect(await claimsOf({ sub: 'ann-1' })).toEqual({
    ...{ issuer: ISSUER, subject: 'ann-1', hostedDomain: null },
    ...{ email: 'ann@example.org', isEmailVerified: true },
  });
});

it.each([[''], [' '], [7], [null], [undefined]])('refuses the subject %j', async (sub) => {
  await expect(claimsOf({ sub })).rejects.toMatchObject({
    ...{ name: 'ProviderError', kind: 'refused' },
    message: expect.stringContaining('sub'),
  });
});
