import { generateKeyPairSync, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { BusyError, CredentialsError, NoAnswerError, PreparingError } from '../base/errors.ts';
import { AccessTokens } from '../base/rest-vm/access-tokens.ts';
import { CallLimiter } from '../base/rest-vm/call-limiter.ts';
import { gcpEndpoints } from './endpoints.ts';
import { GcpClient } from './gcp-client.ts';
import { defaultTokens, serviceAccountTokens } from './token-sources.ts';

const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const KEY = JSON.stringify({
  ...{ type: 'service_account', private_key_id: 'k1', client_email: 'a@p.iam.gserviceaccount.com' },
  private_key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }),
});
const NOW = Date.parse('2026-12-01T12:00:00Z');
const endpoints = gcpEndpoints(null);

function service(status: number, body: unknown, date = new Date(NOW).toUTCString()) {
  const asked: { readonly url: string; readonly init: RequestInit }[] = [];
  const send = async (url: string | URL | Request, init: RequestInit = {}) => {
    asked.push({ url: String(url), init });
    return new Response(JSON.stringify(body), { status, headers: { date } });
  };
  return { asked, options: { endpoints, now: () => NOW, fetch: send as typeof fetch } };
}

describe('the key of a service account', () => {
  it('is exchanged for an access token by a request that it signs', async () => {
    const { asked, options } = service(200, { access_token: 'ya29.a', expires_in: 3599 });
    const granted = await serviceAccountTokens(KEY, options)();
    expect(granted).toEqual({ token: 'ya29.a', seconds: 3599 });
    expect(asked[0]?.url).toBe('https://oauth2.googleapis.com/token');
    const form = new URLSearchParams(String(asked[0]?.init.body));
    const [header = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.');
    const signed = Buffer.from(`${header}.${claims}`);
    const isSigned = verify(
      'RSA-SHA256',
      signed,
      pair.publicKey,
      Buffer.from(signature, 'base64url'),
    );
    expect(isSigned).toBe(true);
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({
      ...{ iss: 'a@p.iam.gserviceaccount.com', aud: 'https://oauth2.googleapis.com/token' },
      ...{ iat: NOW / 1000, exp: NOW / 1000 + 3600 },
    });
  });

  it('goes to no address that the key itself names', async () => {
    const { asked, options } = service(200, { access_token: 'ya29.a', expires_in: 3599 });
    const key = JSON.stringify({ ...JSON.parse(KEY), token_uri: 'http://evil.example/token' });
    await serviceAccountTokens(key, options)();
    expect(asked.map(({ url }) => url)).toEqual(['https://oauth2.googleapis.com/token']);
  });

  it('that Google refuses is an error of the credentials, unless the clock of the server is wrong', async () => {
    const refusal = { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' };
    const refused = serviceAccountTokens(KEY, service(400, refusal).options)();
    await expect(refused).rejects.toThrow(CredentialsError);
    await expect(refused).rejects.toThrow('invalid_grant: Invalid JWT Signature.');
    const late = new Date(NOW - 3_600_000).toUTCString();
    const skewed = serviceAccountTokens(KEY, service(400, refusal, late).options)();
    await expect(skewed).rejects.toThrow(BusyError);
    await expect(skewed).rejects.toThrow('the clock of the server is 60 minutes ahead of');
  });

  it('is not doubted because a proxy in between refuses', async () => {
    const odd = serviceAccountTokens(KEY, service(403, 'Forbidden').options)();
    await expect(odd).rejects.toThrow(NoAnswerError);
  });

  it('that cannot be read is an error that shows nothing of it', async () => {
    const { options } = service(200, {});
    const broken = JSON.stringify({ client_email: 'a@b', private_key: 'secret words' });
    const error = await serviceAccountTokens(broken, options)().catch((one) => one);
    expect(error).toBeInstanceOf(CredentialsError);
    expect(String(error)).not.toContain('secret words');
  });
});

describe('the identity of the server', () => {
  const nothing = async () => {
    throw new Error('no such file');
  };

  it('is the file that the variable of Google names', async () => {
    const { asked, options } = service(200, { access_token: 'ya29.f', expires_in: 3599 });
    const env = { GOOGLE_APPLICATION_CREDENTIALS: '/keys/a.json' };
    const granted = await defaultTokens({ ...options, env, readText: async () => KEY })();
    expect(granted.token).toBe('ya29.f');
    expect(asked[0]?.url).toContain('oauth2');
  });

  it('is the login of gcloud', async () => {
    const { asked, options } = service(200, { access_token: 'ya29.u', expires_in: 3599 });
    const file = {
      type: 'authorized_user',
      client_id: 'c',
      client_secret: 's',
      refresh_token: 'r',
    };
    const readText = async () => JSON.stringify(file);
    await defaultTokens({ ...options, env: {}, readText })();
    expect(String(asked[0]?.init.body)).toContain('grant_type=refresh_token');
  });

  it('is the service account of the machine without any file', async () => {
    const { asked, options } = service(200, { access_token: 'ya29.m', expires_in: 3599 });
    await defaultTokens({ ...options, env: {}, readText: nothing })();
    expect(asked[0]?.url).toBe(
      'http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token',
    );
    expect(asked[0]?.init.headers).toEqual({ 'metadata-flavor': 'Google' });
  });

  it('is refused with what is missing where there is none', async () => {
    const { options } = service(404, 'not found');
    const none = defaultTokens({ ...options, env: {}, readText: nothing })();
    await expect(none).rejects.toThrow('the server has no identity of its own');
    const readText = async () => JSON.stringify({ type: 'external_account' });
    const other = defaultTokens({ ...options, env: {}, readText })();
    await expect(other).rejects.toThrow('"external_account" are not supported');
  });
});

describe('an access token', () => {
  function tokens(answers: readonly (string | Error)[]) {
    const clock = { now: 0 };
    const left = [...answers];
    const ask = async () => {
      const answer = left.shift();
      if (typeof answer !== 'string') throw answer ?? new Error('asked too often');
      return { token: answer, seconds: 3600 };
    };
    return { clock, left, tokens: new AccessTokens(ask, () => clock.now) };
  }

  it('serves all calls until it nearly expires', async () => {
    const at = tokens(['a', 'b']);
    expect(await Promise.all([1, 2].map(() => at.tokens.value()))).toEqual(['a', 'a']);
    at.clock.now = 3_299_000;
    expect(await at.tokens.value()).toBe('a');
    at.clock.now = 3_301_000;
    expect(await at.tokens.value()).toBe('b');
  });

  it('is used on while its service does not answer', async () => {
    const at = tokens(['a', new NoAnswerError('no answer'), new NoAnswerError('no answer')]);
    await at.tokens.value();
    at.clock.now = 3_400_000;
    expect(await at.tokens.value()).toBe('a');
    at.clock.now = 3_700_000;
    await expect(at.tokens.value()).rejects.toThrow(PreparingError);
  });

  it('that is refused is asked for again, unless it has just come', async () => {
    const at = tokens(['a', 'b']);
    await at.tokens.value();
    at.clock.now = 120_000;
    expect(at.tokens.refused('a')).toBe(true);
    expect(await at.tokens.value()).toBe('b');
    expect(at.tokens.refused('b')).toBe(false);
  });

  it('that is refused to several calls at once is replaced for all of them', async () => {
    const at = tokens(['a', 'b']);
    const pace = { now: () => at.clock.now, delay: async () => {} };
    const waiting = Promise.withResolvers<void>();
    const answer = async (url: string | URL | Request, init: RequestInit = {}) => {
      const isOld = new Headers(init.headers).get('authorization') === 'Bearer a';
      if (isOld && String(url).endsWith('/late')) await waiting.promise;
      const error = { code: 401, message: 'Invalid Credentials', status: 'UNAUTHENTICATED' };
      if (isOld && at.clock.now > 0) return Response.json({ error }, { status: 401 });
      return Response.json({ served: true });
    };
    const client = new GcpClient({
      ...{ tokens: at.tokens, endpoints, fetch: answer as typeof fetch },
      limiter: new CallLimiter({ title: 'GCP', rules: [{ calls: 99, seconds: 1 }], pace }),
    });
    const look = (path: string) => client.compute({ method: 'GET', path, kind: 'look' });
    await look('/first');
    at.clock.now = 120_000;
    const late = look('/late');
    expect(await look('/soon')).toEqual({ served: true });
    waiting.resolve();
    expect(await late).toEqual({ served: true });
  });
});
