import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Route, startFakeServer } from '../testing/fake-server.ts';
import { runCommand, serverEnv, withDirectory } from '../testing/run-command.ts';

const BASE = '/api/project/main';
const VOLUME = {
  id: '11111111-1111-4111-8111-111111111111',
  name: 'data',
  project_name: 'main',
  user: 'admin',
  configuration: { type: 'volume', name: 'data', backend: 'aws', region: 'eu', size: 10 },
  created_at: '2026-11-24T15:00:00Z',
  status: 'active',
  external: false,
  attachments: [],
};

const empty: Readonly<Record<string, Route>> = {
  'POST /api/runs/list': { json: [] },
  'POST /api/projects/main/get': { json: { project_name: 'main' } },
  [`POST ${BASE}/fleets/list`]: { json: [] },
  [`POST ${BASE}/volumes/list`]: { json: [] },
  [`POST ${BASE}/gateways/list`]: { json: [] },
  [`POST ${BASE}/secrets/list`]: { json: [] },
  [`POST ${BASE}/exports/list`]: { json: [] },
  [`POST ${BASE}/imports/list`]: { json: [] },
  [`POST ${BASE}/service_tokens/list`]: { json: [] },
};

test.each([
  ['ps', 'dstack init --template hello'],
  ['fleet', 'dstack init --template fleet'],
  ['volume', 'dstack init --template volume'],
  ['gateway', 'dstack init --template gateway'],
  ['secret', 'dstack secret set'],
  ['export', 'dstack export create'],
  ['import', 'dstack export create'],
  ['token', 'dstack token create'],
])('an empty list of dstack %s names the next command, and prints no data', async (name, next) => {
  const fake = await startFakeServer(empty);
  const { code, out, err } = await runCommand([name], { env: serverEnv(fake.url) });
  expect([code, out]).toEqual([0, '']);
  expect(err).toContain(next);
  const json = await runCommand([name, '--json'], { env: serverEnv(fake.url) });
  expect(Object.values(JSON.parse(json.out))).toContainEqual([]);
});

test('an empty list of fleets names the configuration that is there', () =>
  withDirectory(async (cwd) => {
    const fake = await startFakeServer(empty);
    await writeFile(join(cwd, 'fleet.dstack.yml'), 'type: fleet\n');
    const { err } = await runCommand(['fleet'], { cwd, env: serverEnv(fake.url) });
    expect(err).toContain('dstack apply -f fleet.dstack.yml\n');
  }));

test('the message of an empty list is wrapped at words', async () => {
  const fake = await startFakeServer(empty);
  const { err } = await runCommand(['volume'], { env: serverEnv(fake.url), terminal: 40 });
  expect(err).toContain('No volumes in project main. Create one:\ndstack init --template volume\n');
});

test('a computer without projects is pointed to the ways to add one', async () => {
  const { err } = await runCommand(['project', 'list']);
  expect(err).toContain('dstack login --url URL, or dstack project add');
});

async function volumes(...argv: string[]) {
  const fake = await startFakeServer({
    [`POST ${BASE}/volumes/list`]: { json: [VOLUME] },
    [`POST ${BASE}/volumes/get`]: { json: VOLUME },
  });
  return runCommand(['volume', ...argv], { env: serverEnv(fake.url) });
}

test('a list is printed as names, JSON, YAML or a table', async () => {
  expect((await volumes('-o', 'name')).out).toBe('data\n');
  const json = await volumes('list', '-o', 'json');
  expect(JSON.parse(json.out)).toEqual({ project: 'main', volumes: [VOLUME] });
  expect(json.out).toBe((await volumes('--json')).out);
  const yaml = await volumes('-o', 'yaml');
  expect(yaml.out).toMatch(/^project: main\nvolumes:\n {2}- id: 1{8}/);
  const table = await volumes();
  expect(table.out).toMatch(/^ NAME +BACKEND +STATUS/);
  expect((await volumes('-o', 'wide')).out).toBe((await volumes('-v')).out);
});

test('a single object is printed in the same forms', async () => {
  expect((await volumes('get', 'data', '-o', 'name')).out).toBe('data\n');
  expect(JSON.parse((await volumes('get', 'data', '--json')).out)).toEqual(VOLUME);
  expect((await volumes('get', 'data', '-o', 'yaml')).out).toContain('name: data\n');
});

test.each([[['-w', '--json']], [['-w', '-o', 'yaml']], [['--json', '-o', 'name']]])(
  'dstack volume %j is refused',
  async (argv) => {
    const { code, err } = await volumes(...argv);
    expect(code).toBe(2);
    expect(err).toContain('cannot be used together');
  },
);
