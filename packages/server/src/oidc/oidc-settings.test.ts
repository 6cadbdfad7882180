import { expect, it } from 'vitest';
import { oidcSettings } from './oidc-settings.ts';

const URL = 'https://dstack.example.org';

it('has no providers unless one is configured', () => {
  expect(oidcSettings({}, null)).toEqual({
    ...{ providers: [], domains: [], requiresChallenge: false },
  });
});

it('reads providers and domains', () => {
  const env = {
    DSTACK_OIDC_GOOGLE_CLIENT_ID: 'g',
    DSTACK_OIDC_GOOGLE_CLIENT_SECRET: 's',
    DSTACK_OIDC_ENTRA_ISSUER: 'https://login.microsoftonline.com/t/v2.0',
    DSTACK_OIDC_ENTRA_CLIENT_ID: 'e',
    DSTACK_OIDC_ENTRA_TRUST_EMAIL: '1',
    DSTACK_OIDC_REQUIRE_CHALLENGE: '1',
    DSTACK_OIDC_DOMAINS: 'Example.org, example.com,',
  };
  expect(oidcSettings(env, URL)).toEqual({
    requiresChallenge: true,
    providers: [
      {
        ...{ name: 'entra', issuer: 'https://login.microsoftonline.com/t/v2.0', clientId: 'e' },
        ...{ clientSecret: null, trustsEmail: true },
      },
      {
        ...{ name: 'google', issuer: 'https://accounts.google.com', clientId: 'g' },
        ...{ clientSecret: 's', trustsEmail: false },
      },
    ],
    domains: ['example.org', 'example.com'],
  });
});

it.each([
  [{ DSTACK_OIDC_OKTA_CLIENT_ID: 'x' }, URL, 'set without DSTACK_OIDC_OKTA_ISSUER'],
  [{ DSTACK_OIDC_OKTA_ISSUER: 'https://x' }, URL, 'set without DSTACK_OIDC_OKTA_CLIENT_ID'],
  [{ DSTACK_OIDC_GOOGLE_CLIENT_SECRET: 'x' }, URL, 'set without DSTACK_OIDC_GOOGLE_CLIENT_ID'],
  [{ DSTACK_OIDC_GOOGLE_CLIENT_ID: 'x' }, null, 'without DSTACK_SERVER_URL'],
  [{ DSTACK_OIDC_SSO_CLIENT_ID: 'x', DSTACK_OIDC_SSO_ISSUER: 'http://sso' }, URL, 'https://'],
  [{ DSTACK_OIDC_SSO_CLIENT_ID: 'x', DSTACK_OIDC_SSO_ISSUER: 'sso' }, URL, 'https://'],
  [{ DSTACK_OIDC_DOMAINS: '@example.org' }, URL, 'domains of e-mail addresses'],
])('refuses %j', (env, url, text) => {
  expect(() => oidcSettings(env, url)).toThrow(text);
});
