/**
 * The identity of the server itself, for `creds.type: default`: from its environment, a role with a web identity
 * (EKS), the shared credentials file, its container (ECS, EKS), or its machine (EC2). Read when it is first used,
 * and again before it expires.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ProcessEnv } from '@dstack/contract';
import { errorMessage } from '@dstack/contract/error-message';
import { BackendError, CredentialsError, NoAnswerError } from '../base/errors.ts';
import type { AwsCredentials } from './aws-client.ts';
import { xmlOf } from './xml.ts';

export interface DefaultCredentialsOptions {
  readonly env: ProcessEnv;
  /** Address of STS. */
  readonly sts: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly fetch?: typeof fetch;
  readonly readText?: (path: string) => Promise<string>;
}

interface Expiring extends AwsCredentials {
  /** Milliseconds since the epoch; null = never. */
  readonly until: number | null;
}

/** Null: there are none of this kind. */
type Source = (options: DefaultCredentialsOptions) => Promise<Expiring | null>;

/** In the order of AWS's tools. */
const SOURCES: readonly Source[] = [
  ofEnvironment,
  ofWebIdentity,
  ofSharedFile,
  ofContainer,
  ofMachine,
];

/** Renewed so long before they expire. */
const EARLY_MS = 300_000;
/** The metadata service of a machine is near, or not there. */
const TIMEOUT_MS = 1500;
const CONTAINER_HOST = 'http://169.254.170.2';
const MACHINE_HOST = 'http://169.254.169.254';

export function defaultCredentials(
  options: DefaultCredentialsOptions,
): () => Promise<AwsCredentials> {
  let known: Expiring | null = null;
  let asking: Promise<Expiring> | null = null;
  return async () => {
    if (known && (known.until === null || known.until - EARLY_MS > options.now())) return known;
    asking ??= found(options).finally(() => {
      asking = null;
    });
    try {
      known = await asking;
      return known;
    } catch (error) {
      if (known === null) throw error;
      // Its source does not answer for a moment: the server still has it.
      if (known.until === null || known.until > options.now()) return known;
      throw new NoAnswerError(errorMessage(error), { cause: error });
    }
  };
}

async function found(options: DefaultCredentialsOptions): Promise<Expiring> {
  for (const source of SOURCES) {
    const credentials = await source(options);
    if (credentials) return credentials;
  }
  throw new CredentialsError(
    'AWS: the server has no identity of its own: neither variables (AWS_ACCESS_KEY_ID), a web identity, a profile with a key, nor a role of its container or machine',
  );
}

async function ofEnvironment({ env }: DefaultCredentialsOptions): Promise<Expiring | null> {
  const { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey } = env;
  if (!accessKey || !secretKey) return null;
  return { accessKey, secretKey, sessionToken: env.AWS_SESSION_TOKEN || null, until: null };
}

async function ofWebIdentity(options: DefaultCredentialsOptions): Promise<Expiring | null> {
  const { env, sts } = options;
  const { AWS_ROLE_ARN: RoleArn, AWS_WEB_IDENTITY_TOKEN_FILE: file } = env;
  if (!RoleArn || !file) return null;
  const body = new URLSearchParams({
    ...{ Action: 'AssumeRoleWithWebIdentity', Version: '2011-06-15', RoleArn },
    ...{ RoleSessionName: 'dstack', WebIdentityToken: (await textOf(options, file)).trim() },
  });
  const text = await answerOf(options, sts, { method: 'POST', body });
  const made = xmlOf(text)?.at('AssumeRoleWithWebIdentityResult', 'Credentials');
  return expiring({
    AccessKeyId: made?.text('AccessKeyId'),
    SecretAccessKey: made?.text('SecretAccessKey'),
    Token: made?.text('SessionToken'),
    Expiration: made?.text('Expiration'),
  });
}

async function ofSharedFile(options: DefaultCredentialsOptions): Promise<Expiring | null> {
  const { env } = options;
  const file = env.AWS_SHARED_CREDENTIALS_FILE || join(homedir(), '.aws', 'credentials');
  const text = await textOf(options, file).catch(() => '');
  const values = sectionOf(text, env.AWS_PROFILE || 'default');
  const accessKey = values.get('aws_access_key_id');
  const secretKey = values.get('aws_secret_access_key');
  if (!accessKey || !secretKey) return null;
  const sessionToken = values.get('aws_session_token') ?? null;
  return { accessKey, secretKey, sessionToken, until: null };
}

/** The keys of a section of an INI file. */
function sectionOf(text: string, name: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  let section = '';
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line.startsWith('[') && line.endsWith(']')) section = line.slice(1, -1).trim();
    const at = line.indexOf('=');
    if (section !== name || at < 0) continue;
    values.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  return values;
}

async function ofContainer(options: DefaultCredentialsOptions): Promise<Expiring | null> {
  const { env } = options;
  const relative = env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI;
  const url = relative ? `${CONTAINER_HOST}${relative}` : env.AWS_CONTAINER_CREDENTIALS_FULL_URI;
  if (!url) return null;
  const file = env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE;
  const token = file ? (await textOf(options, file)).trim() : env.AWS_CONTAINER_AUTHORIZATION_TOKEN;
  const headers: Readonly<Record<string, string>> = token ? { authorization: token } : {};
  return expiring(jsonOf(await answerOf(options, url, { headers })));
}

/** By version 2 of the metadata service, which needs a token. */
async function ofMachine(options: DefaultCredentialsOptions): Promise<Expiring | null> {
  const { env } = options;
  if (env.AWS_EC2_METADATA_DISABLED?.toLowerCase() === 'true') return null;
  const host = env.AWS_EC2_METADATA_SERVICE_ENDPOINT || MACHINE_HOST;
  const token = await answerOf(options, `${host}/latest/api/token`, {
    ...{ method: 'PUT', headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '60' } },
  }).catch(() => null);
  if (token === null) return null;
  const headers = { 'x-aws-ec2-metadata-token': token };
  const path = `${host}/latest/meta-data/iam/security-credentials/`;
  // A machine without a role has no such path.
  const role = await answerOf(options, path, { headers }).catch(() => '');
  const [name = ''] = role.trim().split('\n');
  if (name === '') return null;
  return expiring(jsonOf(await answerOf(options, `${path}${name}`, { headers })));
}

function expiring(from: Readonly<Record<string, unknown>>): Expiring {
  const text = (name: string) => (typeof from[name] === 'string' ? from[name] : '');
  const until = Date.parse(text('Expiration'));
  const keys = { accessKey: text('AccessKeyId'), secretKey: text('SecretAccessKey') };
  if (keys.accessKey === '' || keys.secretKey === '') {
    throw new NoAnswerError('AWS: the identity of the server came in an unknown form');
  }
  return {
    ...keys,
    sessionToken: text('Token') || null,
    until: Number.isNaN(until) ? null : until,
  };
}

function jsonOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    // Counts like an answer without keys.
    return {};
  }
}

async function textOf({ readText }: DefaultCredentialsOptions, path: string): Promise<string> {
  return await (readText ?? ((file) => readFile(file, 'utf8')))(path);
}

async function answerOf(
  { fetch: send = fetch }: DefaultCredentialsOptions,
  url: string,
  init: RequestInit,
): Promise<string> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await send(url, { ...init, redirect: 'error', signal });
    if (response.ok) return await response.text();
    throw new BackendError(`HTTP ${response.status}`);
  } catch (error) {
    throw new NoAnswerError(`AWS: no identity from ${new URL(url).host}: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}
