import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FleetPlan } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { type FakeServer, type Route, startFakeServer } from '../../testing/fake-server.ts';
import { recording } from '../../testing/recordings.ts';
import { runCommand, serverEnv, withDirectory } from '../../testing/run-command.ts';
import { fleetType } from './fleet-plan.ts';

const BASE = '/api/project/main';

/** Answers each path with its recorded answers in turn, then repeats the last one. */
async function replay(name: string): Promise<FakeServer> {
  const answers = new Map<string, { status: number; json: unknown }[]>();
  for (const { method, path, status, response } of await recording(name)) {
    const key = `${method} ${path}`;
    answers.set(key, [...(answers.get(key) ?? []), { status, json: response }]);
  }
  const routes = Object.fromEntries(
    [...answers].map(([key, list]): [string, Route] => [
      key,
      () => (list.length > 1 ? list.shift() : list[0]) as { status: number; json: unknown },
    ]),
  );
  return startFakeServer(routes);
}

const FLEET = `type: fleet
name: th
placement: cluster
ssh_config:
  user: root
  identity_file: keys/id
  hosts:
    - hostname: 10.213.0.11
      blocks: auto
    - hostname: 10.213.0.12
      blocks: auto
`;

async function inFleetDirectory<T>(use: (cwd: string) => Promise<T>): Promise<T> {
  return withDirectory(async (cwd) => {
    const pair = generateKeyPairSync('ed25519');
    await mkdir(join(cwd, 'keys'));
    const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
    await writeFile(join(cwd, 'keys', 'id'), pem, { mode: 0o600 });
    await writeFile(join(cwd, 'keys', 'id.pub'), 'ssh-ed25519 AAAA test\n');
    await writeFile(join(cwd, 'fleet.dstack.yml'), FLEET);
    return use(cwd);
  });
}

test('a fleet that cannot be updated is replaced, with the keys of its hosts', () =>
  inFleetDirectory(async (cwd) => {
    const fake = await replay('fleet-apply');
    const argv = ['apply', '-f', 'fleet.dstack.yml', '-y'];
    const { code, out, err } = await runCommand(argv, { env: serverEnv(fake.url), cwd, home: cwd });
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain(
      'Found fleet th. Detected changes that cannot be updated in-place:\n- Configuration properties:\n  - placement: (none) -> cluster\n',
    );
    expect(out).toMatch(/instance=0 .* idle/);
    expect(fake.calls.filter((call) => !call.endsWith('/get'))).toEqual(
      ['get_plan', 'delete', 'apply'].map((verb) => `POST ${BASE}/fleets/${verb}`),
    );
    const theirs = (await recording('fleet-apply'))[0]?.request;
    const ours = fake.bodyOf(`${BASE}/fleets/get_plan`);
    const withoutKeys = (body: unknown) =>
      JSON.parse(
        JSON.stringify(body, (key, value) =>
          key === 'ssh_key' || key === 'identity_file' ? (value === null ? null : 'given') : value,
        ),
      );
    expect(withoutKeys(ours)).toEqual(withoutKeys(theirs));
    expect(ours).toMatchObject({
      spec: { configuration: { ssh_config: { ssh_key: { public: 'ssh-ed25519 AAAA test\n' } } } },
    });
  }));

test('the plan shows what the owner of the hosts has set as their price', () =>
  inFleetDirectory(async (cwd) => {
    const fake = await replay('fleet-apply-unchanged');
    const [first] = await recording('fleet-apply-unchanged');
    const plan = structuredClone(first?.response) as FleetPlan;
    const ssh = (plan.effective_spec ?? plan.spec).configuration.ssh_config;
    Object.assign(ssh ?? {}, { price: 1.5 });
    Object.assign(ssh?.hosts[0] ?? {}, { price: 2.25 });
    const priced = await startFakeServer({ [`POST ${BASE}/fleets/get_plan`]: { json: plan } });
    const argv = ['apply', '-f', 'fleet.dstack.yml', '-y'];
    const { out } = await runCommand(argv, { env: serverEnv(priced.url), cwd, home: cwd });
    expect(out).toMatch(/Price per host +\$1\.5\.\.\$2\.25\/h/);
    const free = await runCommand(argv, { env: serverEnv(fake.url), cwd, home: cwd });
    expect(free.out).not.toContain('Price per host');
  }));

test('the plan contains what the update does not do at once', () =>
  inFleetDirectory(async (cwd) => {
    const [first] = await recording('fleet-apply-unchanged');
    const plan = structuredClone(first?.response) as FleetPlan;
    Object.assign(plan, { notes: ['lab-0 gets its new `blocks` once no job runs there'] });
    const fake = await startFakeServer({ [`POST ${BASE}/fleets/get_plan`]: { json: plan } });
    const argv = ['apply', '-f', 'fleet.dstack.yml', '-y'];
    const { out } = await runCommand(argv, { env: serverEnv(fake.url), cwd, home: cwd });
    expect(out).toContain('note: lab-0 gets its new `blocks` once no job runs there');
  }));

test('-y leaves an unchanged fleet alone', () =>
  inFleetDirectory(async (cwd) => {
    const fake = await replay('fleet-apply-unchanged');
    const argv = ['apply', '-f', 'fleet.dstack.yml', '-y'];
    const { code, out } = await runCommand(argv, { env: serverEnv(fake.url), cwd, home: cwd });
    expect(code).toBe(0);
    expect(out).toContain('No configuration changes detected');
    expect(fake.calls).toEqual([`POST ${BASE}/fleets/get_plan`]);
  }));

test('a missing key is named before any request', () =>
  inFleetDirectory(async (cwd) => {
    const fake = await replay('fleet-apply');
    await writeFile(join(cwd, 'f.yml'), FLEET.replace('keys/id', 'keys/none'));
    const argv = ['apply', '-f', 'f.yml', '-y'];
    const { code, err } = await runCommand(argv, { env: serverEnv(fake.url), cwd, home: cwd });
    expect(code).toBe(1);
    expect(err).toContain('keys/none');
    expect(fake.calls).toEqual([]);
  }));

test.each([
  [[['remote', 'local']], "local (the server's machine)"],
  [
    [
      ['remote', 'local'],
      ['kubernetes', '-'],
    ],
    'cloud',
  ],
  [[], 'cloud'],
] as const)('the plan names what creates the instances: %j', (places, type) => {
  const offers = places.map(([backend, region]) => ({ backend, region }));
  expect(fleetType({ spec: { configuration: {} }, offers } as never)).toBe(type);
});
