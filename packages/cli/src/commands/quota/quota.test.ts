import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const NONE = { gpu: null, cpu: null, memory: null, instances: null, cost: null };
const quota = {
  ...{ id: 'q', project_name: 'main', fleet_name: null, user_name: null, weight: 2 },
  ...{ guaranteed: null, limit: { ...NONE, gpu: 8, cost: 12.5, runs: null } },
  use: [
    { resource: 'gpu', user_name: null, used: 6, guaranteed: null, limit: 8 },
    { resource: 'cost', user_name: null, used: 1.5, guaranteed: null, limit: 12.5 },
  ],
};

const fleetOf = (name: string, backend: string, price: number | null) => ({
  name,
  instances: [{ backend, price }],
});

async function withServer(
  known: readonly object[] = [quota],
  fleets: readonly object[] = [fleetOf('cloud', 'aws', 0)],
) {
  const sent: { path: string; body: unknown }[] = [];
  const keep = (path: string, json: unknown) => [
    `POST /api/quotas/${path}`,
    ({ body }: { body?: unknown }) => {
      sent.push({ path, body });
      return { json };
    },
  ];
  const fake = await startFakeServer(
    Object.fromEntries([
      ...[keep('list', known), keep('apply', [quota]), keep('delete', null)],
      ['POST /api/project/main/fleets/list', () => ({ json: fleets })],
    ]),
  );
  const env = serverEnv(fake.url);
  return { sent, run: (args: string[], more: object = {}) => runCommand(args, { env, ...more }) };
}

test('quotas are listed with what is used, of one project or of all', async () => {
  const { run, sent } = await withServer();
  const { out } = await run(['quota']);
  expect(out).toMatch(/main +- +- +gpu +6 GPUs +- +8 GPUs +2/);
  expect(out).toMatch(/main +- +- +cost +\$1\.50 per hour +- +\$12\.50 per hour +-/);
  await run(['quota', 'list', '--all']);
  expect(sent.map(({ body }) => body)).toEqual([{ project_name: 'main' }, { project_name: null }]);
});

test('a quota of each user is listed while no user has anything', async () => {
  const each = { ...quota, user_name: '*', weight: null, use: [] };
  const { run } = await withServer([each]);
  const { out } = await run(['quota']);
  expect(out).toMatch(/main +- +\* +gpu +0 GPUs +- +8 GPUs +-/);
  expect(out).toMatch(/main +- +\* +cost +\$0\.00 per hour +- +\$12\.50 per hour +-/);
});

test('flags are read as a file is, and a mistake in them is a usage error', async () => {
  const { run, sent } = await withServer();
  const words = ['--limit', 'gpu.H100=4', '--limit', 'memory=512GB', '--guaranteed', 'gpu=2'];
  expect((await run(['quota', 'set', ...words, '--weight', '3'])).code).toBe(0);
  expect(sent).toEqual([
    {
      path: 'apply',
      body: {
        quotas: [
          {
            ...{ project_name: 'main', fleet_name: null, user_name: null, weight: 3 },
            guaranteed: { ...NONE, gpu: 2 },
            limit: { ...NONE, gpu: { H100: 4 }, memory: 512, runs: null },
          },
        ],
      },
    },
  ]);
  const { err: nothing } = await run(['quota', 'set']);
  expect(nothing).toContain('Nothing to set\n  next: dstack quota set --limit gpu=8');
  for (const wrong of ['gpu', 'gpus=4', 'cpu=-1']) {
    const { code, err } = await run(['quota', 'set', '--limit', wrong]);
    expect([code, err]).toEqual([2, expect.stringMatching(/has no amount|Not a quota/)]);
  }
});

test('a file is applied after its plan, and deleted by what it is about', async () => {
  const { run, sent } = await withServer();
  const cwd = await mkdtemp(join(tmpdir(), 'quota-'));
  const file = 'type: quota\nuser: "*"\nlimit: {gpu: 2}\n';
  await writeFile(join(cwd, 'quota.dstack.yml'), file);
  const dry = await run(['apply', '-f', 'quota.dstack.yml', '--dry-run'], { cwd });
  expect(dry.out).toContain('There is no quota of each user of project main yet.');
  expect(sent.map(({ path }) => path)).toEqual(['list']);
  expect((await run(['apply', '-f', 'quota.dstack.yml', '-y'], { cwd })).code).toBe(0);
  expect(sent.at(-1)?.body).toMatchObject({ quotas: [{ user_name: '*', limit: { gpu: 2 } }] });
  const { err } = await run(['delete', '-f', 'quota.dstack.yml', '-y'], { cwd });
  expect(err).toContain('Quota of each user of project main deleted');
  const place = { project_name: 'main', fleet_name: null, user_name: '*' };
  expect(sent.at(-1)).toEqual({ path: 'delete', body: { quotas: [place] } });
});

test('the plan shows what changes of a quota, and nothing is sent for one that is as in the file', async () => {
  const { run, sent } = await withServer();
  const cwd = await mkdtemp(join(tmpdir(), 'quota-'));
  await writeFile(join(cwd, 'a.yml'), 'type: quota\nlimit: {gpu: 4, cost: 12.5}\nweight: 2\n');
  const changed = await run(['apply', '-f', 'a.yml', '--dry-run'], { cwd });
  expect(changed.out).toMatch(/Found the quota of project main\. Changes:\n.*limit/);
  await writeFile(join(cwd, 'b.yml'), 'type: quota\nlimit: {gpu: 8, cost: 12.5}\nweight: 2\n');
  await run(['apply', '-f', 'b.yml', '-y'], { cwd });
  expect(sent.map(({ path }) => path)).toEqual(['list', 'list']);
});

test('a limit of cost warns of hosts without a price, for which it does not hold', async () => {
  const fleets = [fleetOf('lab', 'remote', null), fleetOf('priced', 'remote', 1.5)];
  const { run } = await withServer([quota], fleets);
  const { err } = await run(['quota', 'set', '--limit', 'cost=12.5']);
  expect(err).toMatch(/does not hold on hosts without a price.*fleet\s+lab\./s);
  const other = await withServer();
  expect((await other.run(['quota', 'set', '--limit', 'cost=12.5'])).err).toBe('');
});
