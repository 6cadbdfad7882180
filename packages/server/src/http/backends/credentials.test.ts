import { type CheckResult, CredentialsError, NoAnswerError } from '@dstack/backends';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TryOut } from '../../offers/project-backends.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { refuseWrongCredentials } from './credentials.ts';

const LAMBDA = { type: 'lambda', creds: { type: 'api_key', api_key: 'secret_old' } } as const;
const NAME = 'lambda: the API key is accepted';
const OK: CheckResult = { name: NAME, ok: true, problem: null };

describe('the credentials of a backend', () => {
  let server: TestServer;
  let answer: TryOut;
  const tried: string[] = [];
  beforeAll(async () => {
    const backends = {
      of: async () => [],
      find: async () => null,
      state: () => Promise.reject(),
      tryOut: (...args: Parameters<TryOut>) => {
        const [config] = args;
        tried.push(JSON.stringify(config));
        return answer(...args);
      },
    };
    server = await startTestServer({ backendTypes: ['lambda', 'aws'] }, { backends });
  });
  afterAll(() => server.close());
  beforeEach(() => {
    tried.length = 0;
    answer = async () => [OK];
  });

  const call = (action: string, body: unknown) =>
    server.call(`/api/project/main/backends/${action}`, body);
  const stored = async () => {
    const id = (await server.store.projects.byName('main'))?.id ?? '';
    return (await server.store.backends.byType(id, 'lambda'))?.auth;
  };

  it.each([
    [
      'by its check',
      async () => [{ ...OK, ok: false, problem: 'the key was deleted', refused: true }],
    ],
    ['when it is opened', () => Promise.reject(new CredentialsError('the key was deleted'))],
  ] satisfies [string, TryOut][])(
    'are not stored if the provider refuses them %s',
    async (_, refuse) => {
      answer = refuse;
      for (const [action, body] of [
        ['create', LAMBDA],
        ['create_yaml', { config_yaml: JSON.stringify(LAMBDA) }],
      ] as const) {
        const { status, body: error } = await call(action, body);
        expect(status).toBe(400);
        expect(error.detail).toMatchObject([
          { code: 'invalid_credentials', fields: ['creds', 'api_key'] },
        ]);
        expect(error.detail[0].msg).toBe('Invalid credentials: the key was deleted');
      }
      expect(await stored()).toBeUndefined();
    },
  );

  it('are stored if they are accepted, if the provider does not answer, or lacks something else', async () => {
    expect((await call('create', LAMBDA)).status).toBe(200);
    answer = () => Promise.reject(new NoAnswerError('no answer'));
    const changed = { ...LAMBDA, creds: { ...LAMBDA.creds, api_key: 'secret_new' } };
    expect((await call('update', changed)).status).toBe(200);
    expect(await stored()).toEqual({ creds: changed.creds });
    answer = async () => [{ ...OK, ok: false, problem: 'a permission is missing' }];
    expect((await call('update', LAMBDA)).status).toBe(200);
    expect(tried.every((config) => !config.includes('****'))).toBe(true);
  });

  it('are tried with the stored secret where a mask was sent', async () => {
    const masked = { ...LAMBDA, creds: { ...LAMBDA.creds, api_key: '********' } };
    await call('update', { ...masked, regions: ['us-east-1'] });
    expect(tried[0]).toContain('secret_old');
  });

  it('are waited for no longer than a person waits', async () => {
    const { log } = server.deps;
    const silent = { ...server.deps.backends, tryOut: () => new Promise<null>(() => {}) };
    const config = { ...LAMBDA, regions: null };
    await refuseWrongCredentials({ backends: silent, log }, { config, isOperators: false }, 1);
  });
});
