import type { Fleet, Instance } from '@dstack/contract/wire';
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
const CORDON = {
  state: 'cordoned',
  reason: 'a fan is replaced',
  by: 'ann',
  since: '2026-11-24T15:00:00Z',
  until: null,
  deadline: null,
} as const;

const DRAIN = { ...CORDON, state: 'draining', deadline: '2026-11-24T16:00:00Z' } as const;

async function fleets(scheduling: Instance['scheduling'] = CORDON): Promise<Fleet[]> {
  const list = await recordedAnswer<Fleet[]>('fleet-list', `${BASE}/fleets/list`);
  return list.map((fleet) => ({
    ...fleet,
    instances: fleet.instances.map((one, n) => (n === 0 ? { ...one, scheduling } : one)),
  }));
}

async function serving(routes: Readonly<Record<string, Route>> = {}): Promise<FakeServer> {
  const list = await fleets();
  const [first] = list[0]?.instances ?? [];
  const { scheduling, ...open } = first ?? {};
  return startFakeServer({
    [`POST ${BASE}/fleets/list`]: { json: list },
    [`POST ${BASE}/instances/cordon`]: { json: [first] },
    [`POST ${BASE}/instances/drain`]: { json: [{ ...first, scheduling: DRAIN }] },
    [`POST ${BASE}/instances/uncordon`]: { json: [open] },
    ...routes,
  });
}

const run = async (fake: FakeServer, ...argv: string[]) =>
  runCommand(argv, { env: serverEnv(fake.url), now: NOW });

test.each([[['instance']], [['instance', 'list']]])(
  '%j lists instances, and who keeps new jobs off them',
  async (argv) => {
    const { out } = await run(await serving(), ...argv);
    expect(out).toBe(
      [
        ' NAME  GPU  BACKEND            PRICE  STATUS           SCHEDULING                          CREATED',
        ' th-0  -    ssh (10.213.0.11)  $0     idle (cordoned)  cordoned by ann: a fan is replaced  9 mins ago',
        ' th-1  -    ssh (10.213.0.12)  $0     idle                                                 9 mins ago',
        '',
      ].join('\n'),
    );
  },
);

test('the list of fleets names who has cordoned an instance, and why', async () => {
  const { out } = await run(await serving(), 'fleet');
  expect(out).toContain('idle (cordoned)');
  expect(out).toContain('cordoned by ann: a fan is replaced');
});

test('a cordon sends a duration as such, and a time in UTC', async () => {
  const fake = await serving();
  const names = ['th-0', 'th-1'];
  const result = await run(fake, 'instance', 'cordon', ...names, '--until', '2h');
  expect(fake.bodyOf(`${BASE}/instances/cordon`)).toEqual({
    ...{ names, reason: null, seconds: 7200, until: null },
  });
  expect(result.err).toContain('th-0 is cordoned by ann: a fan is replaced');
});

test('a cordon sends its reason and a time of the calendar', async () => {
  const fake = await serving();
  const until = '2026-12-31T09:00:00+01:00';
  await run(fake, 'instance', 'cordon', 'th-0', '--reason', 'a fan', '--until', until);
  expect(fake.bodyOf(`${BASE}/instances/cordon`)).toEqual({
    ...{ names: ['th-0'], reason: 'a fan', seconds: null, until: '2026-12-31T08:00:00.000Z' },
  });
});

test.each(['yesterday', '0s', '2026-12-31T08:00', '-5'])(
  'a cordon until %s is refused before anything is sent',
  async (until) => {
    const fake = await serving();
    const { code, err } = await run(fake, 'instance', 'cordon', 'th-0', `--until=${until}`);
    expect(code).toBe(2);
    expect(err).toContain(`Cannot read --until "${until}"`);
  },
);

test('a drain sends its deadline as a duration, an hour by default', async () => {
  const fake = await serving();
  const { err } = await run(fake, 'instance', 'drain', 'th-0', '--deadline', '10m');
  const body = { names: ['th-0'], reason: null, seconds: 600 };
  expect(fake.bodyOf(`${BASE}/instances/drain`)).toEqual(body);
  expect(err).toMatch(/th-0 is being drained by ann until 2026-11-24 16:00 UTC: a fan is replaced/);
  const other = await serving();
  await run(other, 'instance', 'drain', 'th-0', '--reason', 'a fan');
  expect(other.bodyOf(`${BASE}/instances/drain`)).toEqual({
    ...{ ...body, reason: 'a fan', seconds: 3600 },
  });
  const refused = await run(fake, 'instance', 'drain', 'th-0', '--deadline', 'soon');
  expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('--deadline "soon"')]);
});

test('uncordon reports that the instance gets jobs again', async () => {
  const { err, out } = await run(await serving(), 'instance', 'uncordon', 'th-0');
  expect(err).toContain('th-0 gets new jobs');
  expect(out).toBe('');
});

test('--json prints the instances', async () => {
  const { out } = await run(await serving(), 'instance', 'cordon', 'th-0', '--json');
  expect(JSON.parse(out).instances).toMatchObject([{ name: 'th-0', scheduling: CORDON }]);
});

test("the server's refusal is shown, with its next step", async () => {
  const fake = await serving({
    [`POST ${BASE}/instances/cordon`]: wireError(
      'resource_not_exists',
      'Project main has no instance th-7',
    ),
  });
  const { code, err } = await run(fake, 'instance', 'cordon', 'th-7');
  expect(code).toBe(3);
  expect(err).toContain('Project main has no instance th-7');
});
