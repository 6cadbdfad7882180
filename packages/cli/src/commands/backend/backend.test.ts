import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Route, startFakeServer, wireError } from '../../testing/fake-server.ts';
import { runCommand, serverEnv, withDirectory } from '../../testing/run-command.ts';

const BASE = '/api/project/main/backends';
const OK = { backend: 'lambda', status: 'ok', problem: null, permissions: [] };
const PROJECT = {
  project_name: 'main',
  backends: [
    { name: 'lambda', config: { type: 'lambda', regions: ['us-east-1', 'us-west-1'] } },
    { name: 'aws', config: { type: 'aws', regions: null } },
  ],
};

async function backend(
  argv: readonly string[],
  routes: Readonly<Record<string, Route>> = {},
  input?: string,
) {
  const fake = await startFakeServer({
    'POST /api/projects/main/get': { json: PROJECT },
    [`POST ${BASE}/create_yaml`]: { json: null },
    [`POST ${BASE}/update_yaml`]: { json: null },
    [`POST ${BASE}/delete`]: { json: null },
    [`POST ${BASE}/check`]: { json: [OK, { ...OK, backend: 'aws', status: 'offers_only' }] },
    ...routes,
  });
  const env = serverEnv(fake.url);
  const result = await runCommand(['backend', ...argv], { env, ...(input && { input }) });
  const stored = (action: string) =>
    JSON.parse((fake.bodyOf(`${BASE}/${action}`) as { config_yaml: string }).config_yaml);
  return { ...result, fake, stored };
}

describe('backend add', () => {
  test('asks for what the type needs, and shows no secret', async () => {
    const { out, err, code, stored } = await backend(
      ['add', 'lambda', '--region', 'us-east-1', 'us-west-1'],
      {},
      'secret_abc\n',
    );
    expect([code, out]).toEqual([0, '']);
    expect(err).toBe('API key: \nOK\n');
    expect(stored('create_yaml')).toEqual({
      type: 'lambda',
      regions: ['us-east-1', 'us-west-1'],
      creds: { type: 'api_key', api_key: 'secret_abc' },
    });
  });

  test('reads files where the value is one, and leaves out what is optional', async () => {
    await withDirectory(async (cwd) => {
      const file = join(cwd, 'config');
      await writeFile(file, 'clusters: []\n');
      const { stored } = await backend(['add', 'kubernetes'], {}, `${file}\n`);
      expect(stored('create_yaml')).toEqual({
        type: 'kubernetes',
        kubeconfig: { data: 'clusters: []\n'.trim() },
      });
    });
  });

  test('takes the YAML of the configuration of the server', async () => {
    const yaml = 'type: lambda\ncreds:\n  type: api_key\n  api_key: secret_abc\n';
    const { fake } = await backend(['add', '-f', '-', '--update'], {}, yaml);
    expect(fake.bodyOf(`${BASE}/update_yaml`)).toEqual({ config_yaml: yaml });
  });

  test('stores nothing that the provider refuses, with its words', async () => {
    const refusal = 'Invalid credentials: Lambda: API key was invalid, expired, or deleted.';
    const { err, code } = await backend(
      ['add', 'lambda'],
      { [`POST ${BASE}/create_yaml`]: wireError('invalid_credentials', refusal) },
      'secret_wrong\n',
    );
    expect(code).toBe(1);
    expect(err).toContain('API key was invalid, expired, or deleted.');
    expect(err).not.toContain('secret_wrong');
  });

  test('warns about what is stored and does not answer', async () => {
    const silent = { ...OK, status: 'unreachable', problem: 'no answer within 15 s' };
    const { err } = await backend(
      ['add', 'lambda'],
      { [`POST ${BASE}/check`]: { json: [silent] } },
      'secret_abc\n',
    );
    expect(err).toContain('lambda was stored, but: no answer within 15 s');
  });

  test.each([
    [['add'], 'Which backend?'],
    [['add', 'nebius'], 'There are no questions for a backend nebius'],
    [['add', 'lambda'], 'No answer'],
    [['add', '-f', '/nowhere.yml'], 'The file /nowhere.yml cannot be read'],
  ])('%j is wrong usage', async (argv, text) => {
    const { code, err } = await backend(argv);
    expect(code).toBe(2);
    expect(err).toContain(text);
  });
});

test('backend list shows names and regions, and no credentials', async () => {
  const { out } = await backend([]);
  expect(out).toBe(' BACKEND  REGIONS\n lambda   us-east-1, us-west-1\n aws      all\n');
});

test('backend check fails if a backend refuses its credentials, and names the reason', async () => {
  expect((await backend(['check'])).out).toBe(
    ' BACKEND  STATE        PROBLEM\n lambda   ok\n aws      offers only\n',
  );
  const denied = { ...OK, status: 'denied', problem: 'the key was deleted' };
  const { out, code } = await backend(['check', 'lambda'], {
    [`POST ${BASE}/check`]: { json: [denied] },
  });
  expect(code).toBe(1);
  expect(out).toContain('the key was deleted');
  expect((await backend(['check', 'gcp'])).code).toBe(3);
});

test('backend check shows what a backend that works could do as well, and does not fail', async () => {
  const wish = {
    name: 'gateways',
    ok: true,
    problem: 'rights that only gateways need are missing',
  };
  const { out, code } = await backend(['check', 'lambda'], {
    [`POST ${BASE}/check`]: { json: [{ ...OK, permissions: [wish] }] },
  });
  expect([code, out]).toEqual([0, expect.stringContaining(`lambda   ok     ${wish.problem}`)]);
});

test('backend delete asks first, and knows which backends there are', async () => {
  const { fake, code } = await backend(['delete', 'lambda', '-y']);
  expect([code, fake.bodyOf(`${BASE}/delete`)]).toEqual([0, { backends_names: ['lambda'] }]);
  const kept = await backend(['delete', 'lambda'], {}, 'n\n');
  expect(kept.fake.bodyOf(`${BASE}/delete`)).toBeUndefined();
  expect((await backend(['delete', 'gcp', '-y'])).err).toContain('The project has no backend gcp');
});
