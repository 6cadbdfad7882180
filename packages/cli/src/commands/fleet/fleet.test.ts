import type { Fleet } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import {
  type FakeServer,
  type Route,
  startFakeServer,
  wireError,
} from '../../testing/fake-server.ts';
import { recordedAnswer } from '../../testing/recordings.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const BASE = '/api/project/main';
const NOW = Date.parse('2026-11-24T15:20:00Z');

async function fleets(): Promise<Fleet[]> {
  return recordedAnswer<Fleet[]>('fleet-list', `${BASE}/fleets/list`);
}

async function serving(routes: Readonly<Record<string, Route>> = {}): Promise<FakeServer> {
  const list = await fleets();
  return startFakeServer({
    [`POST ${BASE}/fleets/list`]: { json: list },
    [`POST ${BASE}/fleets/get`]: { json: list[0] },
    [`POST ${BASE}/fleets/delete`]: { json: null },
    [`POST ${BASE}/fleets/delete_instances`]: { json: null },
    ...routes,
  });
}

test.each([[['fleet']], [['fleet', 'list']]])(
  '%j lists fleets with their instances',
  async (argv) => {
    const fake = await serving();
    const { out } = await runCommand(argv, { env: serverEnv(fake.url), now: NOW });
    expect(out).toBe(
      [
        ' NAME           NODES  GPU  SPOT  BACKEND            PRICE  STATUS  CREATED',
        ' th             2                 ssh                       active  9 mins ago',
        '    instance=0         -          ssh (10.213.0.11)  $0     idle    9 mins ago',
        '    instance=1         -          ssh (10.213.0.12)  $0     idle    9 mins ago',
        '',
      ].join('\n'),
    );
    expect(fake.bodyOf(`${BASE}/fleets/list`)).toEqual({ include_imported: true });
  },
);

test.each([[['fleet', '-v', 'list']], [['fleet', 'list', '-v']], [['fleet', '-v']]])(
  '%j shows more, wherever -v is placed',
  async (argv) => {
    const fake = await serving();
    const { out } = await runCommand(argv, { env: serverEnv(fake.url), now: NOW });
    expect(out).toContain('2 (cluster)');
    expect(out).toContain('cpu=x86:2 mem=23.5GB disk=67.6GB');
  },
);

test.each([
  ['planned', 'active  ', 'th: next maintenance from 2026-12-06 02:00 UTC to 2026-12-06 06:00 UTC'],
  ['leaving', 'active (maintenance)', 'UTC to 2026-12-06 06:00 UTC; jobs leave before'],
  ['on', 'active (maintenance)', 'th: in maintenance from 2026-12-06 02:00 UTC to'],
] as const)('a window of maintenance that is %s has a line', async (state, status, line) => {
  const list = await fleets();
  const [fleet] = list;
  const times = { starts_at: '2026-12-06T02:00:00Z', ends_at: '2026-12-06T06:00:00Z' };
  const maintenance = { state, leaving_at: '2026-12-06T01:00:00Z', ...times };
  const fake = await serving({
    [`POST ${BASE}/fleets/list`]: { json: [{ ...fleet, maintenance }] },
  });
  const { out } = await runCommand(['fleet'], { env: serverEnv(fake.url), now: NOW });
  expect(out).toContain(line);
  expect(out).toContain(status);
});

test('states of instances are shown as text', async () => {
  const list = await fleets();
  const [first, second] = list[0]?.instances ?? [];
  const why = 'no way to it';
  const lost = { unreachable: true, backend: 'remote', termination_reason_message: why };
  if (first) Object.assign(first, lost);
  if (second)
    Object.assign(second, { status: 'busy', total_blocks: 4, busy_blocks: 1, region: 'local' });
  const fake = await serving({ [`POST ${BASE}/fleets/list`]: { json: list } });
  const { out } = await runCommand(['fleet'], { env: serverEnv(fake.url), now: NOW });
  expect(out).toContain('idle (unreachable)');
  expect(out).toContain(why);
  expect(out).toContain('1/4 busy');
  expect(out).toContain(' local ');
});

test('blocks that an instance gets once it is free are shown beside it', async () => {
  const list = await fleets();
  const [first] = list[0]?.instances ?? [];
  if (first) Object.assign(first, { status: 'busy', total_blocks: 2, next_blocks: 4 });
  const fake = await serving({ [`POST ${BASE}/fleets/list`]: { json: list } });
  const env = serverEnv(fake.url);
  const { out } = await runCommand(['fleet'], { env, now: NOW });
  expect(out).toMatch(/\/2 busy .*divided into 4 blocks once no job runs there\n/);
});

test('results of health checks are shown beside the instance', async () => {
  const list = await fleets();
  const [first, second] = list[0]?.instances ?? [];
  const lost = 'gpu: 1 of 2 GPUs is lost';
  const full = 'disk: 9 GB (4 %) are free';
  if (first) Object.assign(first, { health_status: 'failure', health_message: lost });
  if (second) Object.assign(second, { health_status: 'warning', health_message: full });
  const fake = await serving({ [`POST ${BASE}/fleets/list`]: { json: list } });
  const env = serverEnv(fake.url);
  const verbose = await runCommand(['fleet', '-v'], { env, now: NOW });
  expect(verbose.out).toMatch(/idle \(failure\) .* gpu: 1 of 2 GPUs is lost\n/);
  expect(verbose.out).toMatch(/idle \(warning\) .* disk: 9 GB \(4 %\) are free\n/);
  const { out } = await runCommand(['fleet'], { env, now: NOW });
  expect(out).toMatch(/idle \(failure\) .* gpu: 1 of 2 GPUs is lost\n/);
  expect(out).toMatch(/idle \(warning\) [^:]*\n/);
});

test('errors of SSH hosts, and what they wait for, are shown beside them', async () => {
  const list = await fleets();
  const [first, second] = list[0]?.instances ?? [];
  const steps = ['10.0.0.1: Uploading Node: 3 of 47 MB', '10.0.0.2: The host has too little disk'];
  if (first) Object.assign(first, { status: 'pending', termination_reason_message: steps[0] });
  if (second) Object.assign(second, { status: 'terminated', termination_reason_message: steps[1] });
  const fake = await serving({ [`POST ${BASE}/fleets/list`]: { json: list } });
  const { out } = await runCommand(['fleet'], { env: serverEnv(fake.url), now: NOW });
  expect(out).toMatch(/CREATED +MESSAGE\n/);
  expect(out).toMatch(/pending .* 10\.0\.0\.1: Uploading Node: 3 of 47 MB\n/);
  expect(out).toMatch(/terminated .* 10\.0\.0\.2: The host has too little disk\n/);
});

test('on a narrow terminal the errors of hosts stand below the table, wrapped at words', async () => {
  const list = await fleets();
  const [first] = list[0]?.instances ?? [];
  const why = '10.255.255.1:22 cannot be reached over SSH: connection lost before handshake';
  if (first) Object.assign(first, { status: 'pending', termination_reason_message: why });
  const fake = await serving({ [`POST ${BASE}/fleets/list`]: { json: list } });
  const env = { ...serverEnv(fake.url), NO_COLOR: '1' };
  const { out } = await runCommand(['fleet'], { env, now: NOW, terminal: 60 });
  expect(out).not.toContain('MESSAGE');
  const below = out.split('\n\n')[1]?.trimEnd().split('\n') ?? [];
  expect(below.map((line) => line.trim()).join(' ')).toContain(why);
  expect(below.length).toBe(2);
});

test('get prints JSON, by name, id or project/name', async () => {
  const fake = await serving({ '/': { json: null } });
  const env = serverEnv(fake.url);
  const { out } = await runCommand(['fleet', 'get', 'th', '--json'], { env });
  expect(JSON.parse(out)).toEqual((await fleets())[0]);
  const id = '11111111-1111-4111-8111-111111111111';
  await runCommand(['fleet', 'get', '--id', id, '--json'], { env });
  expect(fake.requests.map((r) => r.body)).toEqual([
    { name: 'th', id: null },
    { name: null, id },
  ]);
  await runCommand(['fleet', 'get', 'other/th', '--json'], { env });
  expect(fake.calls.at(-1)).toBe('POST /api/project/other/fleets/get');
});

test.each([
  [['fleet', 'get', '--id', 'x']],
  [['fleet', 'get']],
  [['fleet', 'get', 'th', '--id', 'y']],
])('%j is wrong usage and sends no request', async (argv) => {
  const fake = await serving();
  expect((await runCommand(argv, { env: serverEnv(fake.url) })).code).toBe(2);
  expect(fake.calls).toEqual([]);
});

test('a fleet or some of its instances are deleted', async () => {
  const fake = await serving();
  const env = serverEnv(fake.url);
  expect((await runCommand(['fleet', 'delete', 'th', '-y'], { env })).code).toBe(0);
  expect(fake.bodyOf(`${BASE}/fleets/delete`)).toEqual({ names: ['th'] });
  await runCommand(['fleet', 'delete', 'th', '-i', '0', '-i', '1', '-y'], { env });
  expect(fake.bodyOf(`${BASE}/fleets/delete_instances`)).toEqual({
    name: 'th',
    instance_nums: [0, 1],
  });
});

test('an instance number that the fleet does not have is an error, and nothing is deleted', async () => {
  const fake = await serving();
  const { code, err } = await runCommand(['fleet', 'delete', 'th', '-i', '0', '-i', '7', '-y'], {
    env: serverEnv(fake.url),
  });
  expect([code, err]).toEqual([
    1,
    'error: Fleet th has no instance 7\n  why:  it has: 0, 1\n  next: dstack fleet\n',
  ]);
  expect(fake.calls).not.toContain(`POST ${BASE}/fleets/delete_instances`);
});

test("an unknown fleet and a refusal are reported with the server's message", async () => {
  const unknown = await serving({
    [`POST ${BASE}/fleets/get`]: wireError('resource_not_exists', 'Resource not found'),
  });
  const missing = await runCommand(['fleet', 'delete', 'no', '-y'], {
    env: serverEnv(unknown.url),
  });
  expect(missing.err).toContain('Fleet no does not exist');
  await unknown.stop();
  const busy = await serving({
    [`POST ${BASE}/fleets/delete`]: wireError(
      'error',
      'Failed to delete fleet th. Fleet is in use.',
    ),
  });
  const refused = await runCommand(['fleet', 'delete', 'th', '-y'], { env: serverEnv(busy.url) });
  expect([refused.code, refused.err]).toEqual([
    1,
    'error: Failed to delete fleet th. Fleet is in use.\n',
  ]);
});
