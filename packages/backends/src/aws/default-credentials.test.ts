import { describe, expect, it } from 'vitest';
import { CredentialsError, NoAnswerError } from '../base/errors.ts';
import { defaultCredentials } from './default-credentials.ts';

const NOW = Date.parse('2026-12-01T08:00:00Z');
const KEYS = { AccessKeyId: 'ASIA', SecretAccessKey: 's', Token: 't' };

/** `answers`: by method and URL; no other request is answered. */
function identity(
  env: Readonly<Record<string, string>>,
  answers: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
) {
  const asked: string[] = [];
  const state = { now: NOW };
  const credentials = defaultCredentials({
    ...{ env, sts: 'https://sts.test/', now: () => state.now },
    fetch: async (url, init) => {
      const request = `${init?.method ?? 'GET'} ${url}`;
      asked.push(request);
      const answer = answers[request];
      if (answer === undefined) throw new TypeError('fetch failed');
      return new Response(answer);
    },
    readText: async (path) => {
      const text = files[path];
      if (text === undefined) throw new Error('ENOENT');
      return text;
    },
  });
  return { credentials, asked, state };
}

const IMDS = 'http://169.254.169.254/latest';
const ROLES = `GET ${IMDS}/meta-data/iam/security-credentials/`;
const machine = (expiration: string) => ({
  [`PUT ${IMDS}/api/token`]: 'session',
  [ROLES]: 'dstack-server',
  [`${ROLES}dstack-server`]: JSON.stringify({ ...KEYS, Expiration: expiration }),
});

describe('the identity of the server at AWS', () => {
  it('is that of its environment first, without a request', async () => {
    const env = { AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 's' };
    const { credentials, asked } = identity(env, machine('2026-12-01T14:00:00Z'));
    expect(await credentials()).toMatchObject({ accessKey: 'AKIA', sessionToken: null });
    expect(asked).toEqual([]);
  });

  it('is a profile of the shared file', async () => {
    const file =
      '[default]\naws_access_key_id = A\naws_secret_access_key = a\n[lab]\naws_access_key_id=B\naws_secret_access_key = b=\n';
    const env = { AWS_SHARED_CREDENTIALS_FILE: '/keys', AWS_PROFILE: 'lab' };
    const { credentials } = identity(env, {}, { '/keys': file });
    expect(await credentials()).toMatchObject({ accessKey: 'B', secretKey: 'b=' });
  });

  it('is the role of its container', async () => {
    const env = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials',
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '/token',
    };
    const answer = { 'GET http://169.254.170.23/v1/credentials': JSON.stringify(KEYS) };
    const { credentials } = identity(env, answer, { '/token': 'secret\n' });
    expect(await credentials()).toMatchObject({ accessKey: 'ASIA', sessionToken: 't' });
  });

  it('is a role with a web identity', async () => {
    const env = { AWS_ROLE_ARN: 'arn:aws:iam::1:role/r', AWS_WEB_IDENTITY_TOKEN_FILE: '/jwt' };
    const made = `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2026-12-01T09:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;
    const { credentials } = identity(env, { 'POST https://sts.test/': made }, { '/jwt': 'x' });
    expect(await credentials()).toMatchObject({ accessKey: 'ASIA', sessionToken: 't' });
  });

  it('is the role of its machine, asked for again before it expires', async () => {
    const { credentials, asked, state } = identity({}, machine('2026-12-01T09:00:00Z'));
    const both = await Promise.all([credentials(), credentials()]);
    expect(both[0]).toMatchObject({ accessKey: 'ASIA', secretKey: 's', sessionToken: 't' });
    expect(asked).toHaveLength(3);
    state.now += 50 * 60_000;
    await credentials();
    expect(asked).toHaveLength(3);
    state.now += 6 * 60_000;
    await credentials();
    expect(asked).toHaveLength(6);
  });

  it('is missing with a text that names where it was looked for', async () => {
    const { credentials } = identity({ AWS_EC2_METADATA_DISABLED: 'true' });
    await expect(credentials()).rejects.toThrow(CredentialsError);
    await expect(credentials()).rejects.toThrow('the server has no identity of its own');
  });

  it('stays while its machine does not answer, and is no wrong key after that', async () => {
    const answers: Record<string, string> = machine('2026-12-01T14:00:00Z');
    const { credentials, state } = identity({}, answers);
    await credentials();
    for (const request of Object.keys(answers)) delete answers[request];
    state.now = Date.parse('2026-12-01T13:58:00Z');
    expect(await credentials()).toMatchObject({ accessKey: 'ASIA' });
    state.now = Date.parse('2026-12-01T14:00:01Z');
    const error = await credentials().catch((one) => one);
    expect(error).toBeInstanceOf(NoAnswerError);
    expect(error).not.toBeInstanceOf(CredentialsError);
  });
});
