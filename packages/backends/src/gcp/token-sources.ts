/**
 * Where access tokens come from: the key of a service account, by a request that it signs; for `creds.type: default`
 * the identity of the server, from a file of Google's tools or from the metadata of its machine.
 */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type ProcessEnv, plainText } from '@dstack/contract';
import { errorMessage } from '@dstack/contract/error-message';
import { BusyError, CredentialsError, NoAnswerError } from '../base/errors.ts';
import type { GrantedToken, TokenSource } from '../base/rest-vm/access-tokens.ts';
import { type GcpEndpoints, TOKEN_AUDIENCE } from './endpoints.ts';

export interface TokenSourceOptions {
  readonly endpoints: GcpEndpoints;
  /** Milliseconds since the epoch: requests contain the time. */
  readonly now: () => number;
  readonly fetch?: typeof fetch;
}

export interface DefaultTokenOptions extends TokenSourceOptions {
  readonly env: ProcessEnv;
  readonly readText?: (path: string) => Promise<string>;
}

/** Names of Google's own tools. */
const KEY_FILE_VARIABLE = 'GOOGLE_APPLICATION_CREDENTIALS';
const USERS_FILE = join('.config', 'gcloud', 'application_default_credentials.json');

const TITLE = 'GCP';
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const LIFETIME_S = 3600;
const TIMEOUT_MS = 10_000;
/** The metadata service of a machine is near, or not there. */
const NEAR_MS = 1500;
/** A difference of the clocks that may be why a signed request is refused. */
const SKEW_MS = 240_000;
const MINUTE_MS = 60_000;

interface ServiceAccountKey {
  readonly email: string;
  readonly keyId: string | null;
  readonly key: KeyObject;
}

type Fields = Readonly<Record<string, unknown>>;

/** `data`: the JSON of the key. */
export function serviceAccountTokens(data: string, options: TokenSourceOptions): TokenSource {
  let account: ServiceAccountKey | null = null;
  return async () => {
    account ??= keyIn(fieldsIn(data));
    return await grantedFor(account, options);
  };
}

/** In the order of Google's tools. */
export function defaultTokens(options: DefaultTokenOptions): TokenSource {
  return async () => {
    const fields = await fileOf(options);
    if (fields === null) return await ofMachine(options);
    switch (fields.type) {
      case 'service_account':
        return await grantedFor(keyIn(fields), options);
      case 'authorized_user':
        return await ofUser(fields, options);
      default:
        throw new CredentialsError(
          `${TITLE}: credentials of the type ${JSON.stringify(fields.type)} are not supported: give the key of a service account`,
        );
    }
  };
}

/** Null: there is none. */
async function fileOf({ env, readText }: DefaultTokenOptions): Promise<Fields | null> {
  const read = readText ?? ((path: string) => readFile(path, 'utf8'));
  const named = env[KEY_FILE_VARIABLE];
  if (named) {
    const text = await read(named).catch((error: unknown) => {
      throw new CredentialsError(`${TITLE}: ${KEY_FILE_VARIABLE}: ${errorMessage(error)}`);
    });
    return fieldsIn(text);
  }
  const text = await read(join(homedir(), USERS_FILE)).catch(() => null);
  return text === null ? null : fieldsIn(text);
}

/** Throws without the contents, which are secret. */
function fieldsIn(text: string): Fields {
  try {
    const fields: unknown = JSON.parse(text);
    if (typeof fields === 'object' && fields !== null) return fields as Fields;
  } catch {
    // Not JSON.
  }
  throw new CredentialsError(`${TITLE}: the key of the service account is not JSON`);
}

function keyIn({ client_email: email, private_key: pem, private_key_id: id }: Fields) {
  if (typeof email !== 'string' || typeof pem !== 'string') {
    throw new CredentialsError(
      `${TITLE}: the key of the service account lacks client_email or private_key`,
    );
  }
  const keyId = typeof id === 'string' ? id : null;
  try {
    return { email, keyId, key: createPrivateKey(pem) };
  } catch {
    throw new CredentialsError(
      `${TITLE}: private_key of the service account is no private key: enter the whole JSON file again`,
    );
  }
}

async function grantedFor(
  account: ServiceAccountKey,
  options: TokenSourceOptions,
): Promise<GrantedToken> {
  const assertion = signedRequest(account, Math.floor(options.now() / 1000));
  const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  return await exchanged({ grant_type, assertion }, options);
}

function signedRequest({ email, keyId, key }: ServiceAccountKey, iat: number): string {
  const header = { alg: 'RS256', typ: 'JWT', ...(keyId !== null && { kid: keyId }) };
  const claims = { iss: email, scope: SCOPE, aud: TOKEN_AUDIENCE, iat, exp: iat + LIFETIME_S };
  const text = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), key).toString('base64url')}`;
}

/** As `gcloud auth application-default login` stores it. */
async function ofUser(
  { client_id: id, client_secret: secret, refresh_token: token }: Fields,
  options: TokenSourceOptions,
): Promise<GrantedToken> {
  const given = { client_id: String(id), client_secret: String(secret) };
  const form = { grant_type: 'refresh_token', ...given, refresh_token: String(token) };
  return await exchanged(form, options);
}

async function ofMachine(options: TokenSourceOptions): Promise<GrantedToken> {
  const url = `${options.endpoints.metadata}/instance/service-accounts/default/token`;
  const headers = { 'metadata-flavor': 'Google' };
  const answer = await sent(options, url, { headers }, NEAR_MS).catch(() => null);
  if (answer?.status === 200) return tokenIn(answer.fields);
  throw new CredentialsError(
    `${TITLE}: the server has no identity of its own: neither ${KEY_FILE_VARIABLE}, a login of gcloud, nor a service account of its machine`,
  );
}

async function exchanged(
  form: Readonly<Record<string, string>>,
  options: TokenSourceOptions,
): Promise<GrantedToken> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const init = { method: 'POST', headers, body: new URLSearchParams(form).toString() };
  const answer = await sent(options, options.endpoints.token, init, TIMEOUT_MS);
  const { status, fields, at } = answer;
  if (status === 200) return tokenIn(fields);
  const code = typeof fields?.error === 'string' ? fields.error : null;
  // All refusals of the service have a code: a proxy in between knows nothing about credentials.
  if (code === null || status >= 500) {
    throw new NoAnswerError(`${TITLE}: no access token: HTTP ${status}`);
  }
  const words = `${code}: ${plainText(String(fields?.error_description ?? code))}`;
  const skewMs = at === null ? 0 : options.now() - at;
  // The key may be right: it is tried again when the clock is.
  if (Math.abs(skewMs) > SKEW_MS) throw new BusyError(clockText(words, skewMs));
  throw new CredentialsError(`${TITLE}: the key is refused: ${words}`);
}

function clockText(words: string, skewMs: number): string {
  const minutes = Math.round(Math.abs(skewMs) / MINUTE_MS);
  const side = skewMs > 0 ? 'ahead of' : 'behind';
  return `${TITLE}: ${words} (the clock of the server is ${minutes} minutes ${side} that of Google: set it)`;
}

function tokenIn(fields: Fields | null): GrantedToken {
  const { access_token: token, expires_in: seconds } = fields ?? {};
  if (typeof token === 'string' && token !== '' && typeof seconds === 'number') {
    return { token, seconds };
  }
  throw new NoAnswerError(`${TITLE}: an access token in an unknown form`);
}

async function sent(
  { fetch: send = fetch }: TokenSourceOptions,
  url: string,
  init: RequestInit,
  timeoutMs: number,
) {
  try {
    // Keys go to no other address.
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await send(url, { ...init, redirect: 'error', signal });
    const at = Date.parse(response.headers.get('date') ?? '');
    const text = await response.text();
    return { status: response.status, fields: jsonOf(text), at: Number.isNaN(at) ? null : at };
  } catch (error) {
    throw new NoAnswerError(
      `${TITLE}: no access token from ${new URL(url).host}: ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

/** Null: a page of a proxy in between. */
function jsonOf(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? (value as Fields) : null;
  } catch {
    return null;
  }
}
