import { isSet, type ProcessEnv, SettingsError } from '@dstack/contract';

/** `sso`: any other provider of OpenID Connect. Official clients have a button for the first three. */
export type OidcName = 'entra' | 'google' | 'okta' | 'sso';

export interface OidcProviderSettings {
  readonly name: OidcName;
  readonly issuer: string;
  readonly clientId: string;
  /** Null: a public client, which proves itself by PKCE alone. */
  readonly clientSecret: string | null;
  /** E-mail addresses count as verified, although the provider does not state it. */
  readonly trustsEmail: boolean;
}

/** Signing in through providers of OpenID Connect. */
export interface OidcSettings {
  readonly providers: readonly OidcProviderSettings[];
  /** People with addresses in these domains, in lower case, become users at their first sign-in. */
  readonly domains: readonly string[];
  /** Clients that cannot prove that they have begun a sign-in are refused. */
  readonly requiresChallenge: boolean;
}

interface Names {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly trustsEmail: string;
  readonly fallback?: string;
}

const PROVIDERS: Readonly<Record<OidcName, Names>> = {
  okta: {
    issuer: 'DSTACK_OIDC_OKTA_ISSUER',
    clientId: 'DSTACK_OIDC_OKTA_CLIENT_ID',
    clientSecret: 'DSTACK_OIDC_OKTA_CLIENT_SECRET',
    trustsEmail: 'DSTACK_OIDC_OKTA_TRUST_EMAIL',
  },
  entra: {
    issuer: 'DSTACK_OIDC_ENTRA_ISSUER',
    clientId: 'DSTACK_OIDC_ENTRA_CLIENT_ID',
    clientSecret: 'DSTACK_OIDC_ENTRA_CLIENT_SECRET',
    trustsEmail: 'DSTACK_OIDC_ENTRA_TRUST_EMAIL',
  },
  google: {
    issuer: 'DSTACK_OIDC_GOOGLE_ISSUER',
    clientId: 'DSTACK_OIDC_GOOGLE_CLIENT_ID',
    clientSecret: 'DSTACK_OIDC_GOOGLE_CLIENT_SECRET',
    trustsEmail: 'DSTACK_OIDC_GOOGLE_TRUST_EMAIL',
    fallback: 'https://accounts.google.com',
  },
  sso: {
    issuer: 'DSTACK_OIDC_SSO_ISSUER',
    clientId: 'DSTACK_OIDC_SSO_CLIENT_ID',
    clientSecret: 'DSTACK_OIDC_SSO_CLIENT_SECRET',
    trustsEmail: 'DSTACK_OIDC_SSO_TRUST_EMAIL',
  },
};

/** `url`: the public URL of the server, to which providers redirect browsers. */
export function oidcSettings(env: ProcessEnv, url: string | null): OidcSettings {
  const providers = (Object.keys(PROVIDERS) as OidcName[]).flatMap((name) => {
    const provider = providerOf(env, name, PROVIDERS[name]);
    return provider === null ? [] : [provider];
  });
  const [first] = providers;
  if (first !== undefined && !isWebAddress(url)) {
    const { clientId } = PROVIDERS[first.name];
    throw new SettingsError(
      `${clientId} is set without DSTACK_SERVER_URL; set it to the public URL of this server (https://…): providers redirect browsers there`,
    );
  }
  const requiresChallenge = isSet(env, 'DSTACK_OIDC_REQUIRE_CHALLENGE');
  return { providers, domains: domains(env), requiresChallenge };
}

function providerOf(env: ProcessEnv, name: OidcName, names: Names): OidcProviderSettings | null {
  const clientId = env[names.clientId];
  const issuer = env[names.issuer] || names.fallback;
  if (!clientId) {
    const lone = [names.issuer, names.clientSecret].find((variable) => env[variable]);
    if (lone === undefined) return null;
    throw new SettingsError(`${lone} is set without ${names.clientId}; set both, or neither`);
  }
  if (!issuer) {
    throw new SettingsError(`${names.clientId} is set without ${names.issuer}; set both`);
  }
  checkIssuer(names.issuer, issuer);
  const clientSecret = env[names.clientSecret] || null;
  return { name, issuer, clientId, clientSecret, trustsEmail: isSet(env, names.trustsEmail) };
}

/** Answers of an unencrypted provider could be replaced by anyone on the way. */
function checkIssuer(variable: string, issuer: string): void {
  const url = URL.canParse(issuer) ? new URL(issuer) : null;
  const isLocal = url !== null && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal)) return;
  throw new SettingsError(
    `${variable} is ${JSON.stringify(issuer)}; it must be the provider's https:// URL (http:// only on this computer)`,
  );
}

function isWebAddress(url: string | null): boolean {
  return url !== null && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}

const DOMAIN = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/;

function domains(env: ProcessEnv): string[] {
  const given = (env.DSTACK_OIDC_DOMAINS ?? '').split(',').map((part) => part.trim().toLowerCase());
  return given.filter((domain) => {
    if (domain === '') return false;
    if (DOMAIN.test(domain)) return true;
    throw new SettingsError(
      `DSTACK_OIDC_DOMAINS names ${JSON.stringify(domain)}; it may name domains of e-mail addresses such as example.org, separated by commas`,
    );
  });
}
