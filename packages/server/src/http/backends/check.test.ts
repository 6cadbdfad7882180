import { type Backend, type CheckResult, CredentialsError } from '@dstack/backends';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { checkBackends } from './check.ts';

const of = (name: string, check: Backend['check'], more: Partial<Backend> = {}) =>
  ({ name, instances: {}, check, ...more }) as unknown as Backend;

const LAUNCH: CheckResult = { name: 'ec2:RunInstances', ok: true, problem: null };
const TAG = { name: 'ec2:CreateTags', ok: false, problem: 'add it to the policy of the user' };

const NO_ANSWER = { name: 'north', ok: false, problem: 'did not answer', unanswered: true };

const BACKENDS = [
  of('local', async () => []),
  of('aws', async () => [LAUNCH, TAG]),
  of('gcp', () => Promise.reject(new CredentialsError('the key is revoked'))),
  of('azure', () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.1:443'))),
  of('kubernetes', async () => [NO_ANSWER]),
  of('slurm', async () => [NO_ANSWER, TAG]),
  of('lambda', async () => [], { instances: null }),
];

describe('the check of backends', () => {
  let server: TestServer;
  const tokens: Record<string, string> = {};
  beforeAll(async () => {
    const backends = {
      find: async () => null,
      state: () => Promise.reject(),
      of: async () => BACKENDS,
    };
    server = await startTestServer({}, { backends });
    for (const username of ['ann', 'bob']) {
      await server.call('/api/users/create', { username, global_role: 'user' });
      const { body } = await server.call('/api/users/get_user', { username });
      tokens[username] = body.creds.token;
    }
    const members = [
      { username: 'ann', project_role: 'admin' },
      { username: 'bob', project_role: 'manager' },
    ];
    await server.call('/api/projects/main/add_members', { members });
  });
  afterAll(() => server.close());

  const check = (token?: string) =>
    server.call('/api/project/main/backends/check', undefined, {
      ...(token === undefined ? {} : { token }),
    });

  it('reports the state of each, the missing permission, or why there is no answer', async () => {
    const { status, body } = await check(tokens.ann);
    expect(status).toBe(200);
    expect(body).toEqual([
      { backend: 'local', status: 'ok', problem: null, permissions: [] },
      {
        backend: 'aws',
        status: 'denied',
        problem: 'ec2:CreateTags: add it to the policy of the user',
        permissions: [LAUNCH, TAG],
      },
      { backend: 'gcp', status: 'denied', problem: 'the key is revoked', permissions: [] },
      expect.objectContaining({
        backend: 'azure',
        status: 'unreachable',
        problem: expect.stringContaining('ECONNREFUSED'),
      }),
      expect.objectContaining({ backend: 'kubernetes', status: 'unreachable' }),
      expect.objectContaining({ backend: 'slurm', status: 'denied' }),
      expect.objectContaining({ backend: 'lambda', status: 'offers_only' }),
    ]);
  });

  it('needs the role admin in the project, and the refusal names it', async () => {
    const { status, text } = await check(tokens.bob);
    expect(status).toBe(403);
    expect(text).toMatch(/admin/);
    expect((await check('nobody-has-this')).status).toBe(403);
  });

  it('does not wait for a backend that does not answer', async () => {
    const { log } = server.deps;
    const silent = of('aws', () => new Promise(() => {}));
    const backends = {
      find: async () => null,
      state: () => Promise.reject(),
      of: async () => [silent, ...BACKENDS],
    };
    const [first, second] = await checkBackends({ backends, log }, { id: 'p' } as never, 5);
    expect(first).toMatchObject({ status: 'unreachable', problem: 'no answer within 0.005 s' });
    expect(second).toMatchObject({ backend: 'local', status: 'ok' });
  });
});
