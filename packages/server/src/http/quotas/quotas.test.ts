import { endpoints } from '@dstack/contract/api';
import { FleetSpec } from '@dstack/contract/wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  server = await startTestServer();
  for (const name of ['boss', 'ann', 'eve', 'hostess', 'hand']) {
    await server.call('/api/users/create', { username: name, global_role: 'user' });
    const user = await server.call('/api/users/get_user', { username: name });
    tokens[name] = user.body.creds.token;
  }
  for (const project_name of ['lab', 'farm']) {
    await server.call('/api/projects/create', { project_name });
  }
  const member = (username: string, project_role: string) => ({ username, project_role });
  const members = [member('boss', 'manager'), member('ann', 'user')];
  await server.call('/api/projects/lab/add_members', { members });
  const ofFarm = [member('hostess', 'manager'), member('hand', 'user')];
  await server.call('/api/projects/farm/add_members', { members: ofFarm });
  await insertHosts('farm');
  await server.call('/api/project/farm/exports/create', {
    ...{ name: 'shared', importer_projects: ['lab'], exported_fleets: ['hosts'] },
    ...{ is_global: false, exported_gateways: [] },
  });
});
afterAll(() => server.close());

async function insertHosts(project: string, name = 'hosts'): Promise<void> {
  const spec = FleetSpec.parse({
    configuration: { type: 'fleet', name, ssh_config: { user: 'u', hosts: ['10.0.0.1'] } },
    configuration_path: 'fleet.dstack.yml',
    profile: { name: 'default' },
  });
  const { now, newId } = server.deps.context();
  const projectId = (await server.store.projects.byName(project))?.id ?? '';
  const fleet = {
    ...{ id: newId(), projectId, name, spec, status: 'active' as const },
    ...{ statusMessage: null, createdAt: now, consolidationAttempt: 0, lastConsolidatedAt: null },
    ...{ masterInstanceId: null, maintenance: null, nextPassAt: null, deleted: false, version: 0 },
  };
  const build = () => ({ fleet, instances: [] });
  await server.store.engine.createFleet({ projectId, name: { exact: name }, build });
}

const tokenOf = (name?: string) => (name ? { token: tokens[name] ?? '' } : {});
const apply = (quota: object, as?: string) =>
  server.call('/api/quotas/apply', { quotas: [{ project_name: 'lab', ...quota }] }, tokenOf(as));
const remove = (quota: object, as?: string) =>
  server.call('/api/quotas/delete', { quotas: [{ project_name: 'lab', ...quota }] }, tokenOf(as));
const list = async (as?: string, body: object = {}) =>
  (await server.call('/api/quotas/list', body, tokenOf(as))).body;
const runSpec = (resources: object, more: object = {}) => ({
  configuration: { type: 'task', image: 'busybox', commands: ['true'], resources, ...more },
});
const submit = (resources: object, as?: string, more: object = {}) =>
  server.call(
    '/api/project/lab/runs/apply',
    { plan: { run_spec: runSpec(resources, more) }, force: true },
    tokenOf(as),
  );

describe('who may set quotas', () => {
  const LIMIT = { limit: { gpu: 8 } };

  it('those of projects: global admins', async () => {
    for (const name of ['boss', 'ann', 'eve']) {
      expect((await apply(LIMIT, name)).status, name).toBe(name === 'eve' ? 400 : 403);
    }
    const answer = await apply({ ...LIMIT, guaranteed: { gpu: 4 }, weight: 2 });
    expect(answer.status).toBe(200);
    expect(endpoints['quotas.apply'].response.parse(answer.body)).toEqual(answer.body);
    expect(answer.body).toMatchObject([
      {
        ...{ project_name: 'lab', fleet_name: null, user_name: null, weight: 2 },
        use: [{ resource: 'gpu', user_name: null, used: 0, guaranteed: 4, limit: 8 }],
      },
    ]);
  });

  it('those of users: managers of the project too', async () => {
    expect((await apply({ user_name: '*', ...LIMIT }, 'ann')).status).toBe(403);
    expect((await apply({ user_name: '*', ...LIMIT }, 'boss')).status).toBe(200);
    expect((await apply({ user_name: 'ann', ...LIMIT, weight: 3 }, 'boss')).status).toBe(200);
    const stranger = await apply({ user_name: 'eve', ...LIMIT }, 'boss');
    expect(JSON.stringify(stranger.body)).toContain("User 'eve' is not a member of project 'lab'");
    expect(stranger.body.detail[0].fields).toEqual(['user_name']);
  });

  it('limits of importers on a fleet: managers of the project that owns it, and no guarantees', async () => {
    const fleet = { fleet_name: 'farm/hosts' };
    expect((await apply({ ...fleet, ...LIMIT }, 'boss')).status).toBe(403);
    const answer = await apply({ ...fleet, ...LIMIT }, 'hostess');
    expect(answer.body).toMatchObject([{ project_name: 'lab', fleet_name: 'farm/hosts' }]);
    const guaranteed = await apply({ ...fleet, ...LIMIT, guaranteed: { gpu: 1 } }, 'hostess');
    expect(guaranteed.status).toBe(403);
    await apply({ ...fleet, ...LIMIT, guaranteed: { gpu: 1 } });
    expect((await apply({ ...fleet, ...LIMIT }, 'hostess')).status).toBe(403);
    expect((await remove(fleet, 'hostess')).status).toBe(403);
    expect((await remove(fleet)).status).toBe(200);
    const own = await apply({ fleet_name: 'hosts', ...LIMIT });
    expect(JSON.stringify(own.body)).toContain(
      "Fleet 'hosts' not found: project 'lab' neither has",
    );
  });

  it('sees them: members, and managers of a fleet those on it', async () => {
    await apply({ fleet_name: 'farm/hosts', ...LIMIT }, 'hostess');
    const names = (quotas: { fleet_name: string | null; user_name: string | null }[]) =>
      quotas.map((one) => `${one.fleet_name} ${one.user_name}`).sort();
    expect(names(await list('ann'))).toEqual(
      ['null null', 'null *', 'null ann', 'farm/hosts null'].sort(),
    );
    expect(names(await list('hostess'))).toEqual(['farm/hosts null']);
    expect(await list('hand')).toEqual([]);
    expect(await list('eve')).toEqual([]);
    const ofOthers = await list('eve', { project_name: 'lab' });
    expect(JSON.stringify(ofOthers)).toContain('not a member of project lab');
    expect(names(await list(undefined, { project_name: 'lab' }))).toHaveLength(4);
  });

  it('learns of no project that he may not see', async () => {
    const unknown = "Project 'lab' not found";
    for (const as of ['eve', 'hand']) {
      for (const fleet_name of [null, 'farm/hosts', 'absent']) {
        const answer = await apply({ fleet_name, ...LIMIT }, as);
        expect(JSON.stringify(answer.body), `${as} ${fleet_name}`).toContain(unknown);
      }
    }
  });

  it('deletes those of users who have left, and on fleets that are not shared any more', async () => {
    const members = [{ username: 'hand', project_role: 'user' }];
    await server.call('/api/projects/lab/add_members', { members });
    await apply({ user_name: 'hand', ...LIMIT });
    await server.call('/api/projects/lab/remove_members', { usernames: ['hand'] });
    expect((await remove({ user_name: 'hand' }, 'boss')).status).toBe(200);
    const fleet = { fleet_name: 'farm/late' };
    await insertHosts('farm', 'late');
    const late = { name: 'late', importer_projects: ['lab'], exported_fleets: ['late'] };
    const made = { ...late, is_global: false, exported_gateways: [] };
    await server.call('/api/project/farm/exports/create', made);
    expect((await apply({ ...fleet, ...LIMIT }, 'hostess')).status).toBe(200);
    await server.call('/api/project/farm/exports/delete', { name: 'late' });
    expect((await apply({ ...fleet, ...LIMIT }, 'hostess')).status).toBe(400);
    expect((await remove(fleet, 'hostess')).status).toBe(200);
    expect((await remove(fleet)).status).toBe(400);
  });

  it('records who changed what', async () => {
    await apply({ user_name: 'ann', limit: { gpu: 2 } }, 'boss');
    await remove({ user_name: 'ann' }, 'boss');
    const events = await server.call('/api/events/list', { limit: 2 });
    expect(events.body.map((one: { message: string }) => one.message)).toEqual([
      'Quota of user ann deleted',
      expect.stringMatching(
        /^Quota of user ann set: limit .*gpu:8.* -> .*gpu:2.*weight 3 -> none$/,
      ),
    ]);
    const again = await remove({ user_name: 'ann' });
    expect(JSON.stringify(again.body)).toContain('Quota not found: project lab, user ann');
  });
});

describe('a quota is refused', () => {
  it.each([
    [{}, 'needs one of guaranteed, limit and weight'],
    [{ limit: {}, guaranteed: { gpu: null } }, 'needs one of guaranteed, limit and weight'],
    [
      { limit: { gpu: 2 }, guaranteed: { gpu: 4 } },
      'must be at most the limit of the same quota, which is 2, got 4',
    ],
    [{ limit: { gpu: 2 }, guaranteed: { gpu: { H100: 1, A100: 2 } } }, 'which is 2, got 3'],
    [{ limit: { gpu: { h100: 2 } }, guaranteed: { gpu: { H100: 3 } } }, 'which is 2, got 3'],
    [{ limit: { memory: 8, cpu: 4 }, guaranteed: { memory: 9, cpu: 4 } }, 'which is 8, got 9'],
    [{ weight: 0 }, 'must be greater than 0'],
    [{ limit: { gpu: -1 } }, 'must be between 0 and'],
    [{ limit: { gpu: { H100: 1, h100: 2 } } }, 'must name each GPU once'],
    [{ user_name: 'ann', guaranteed: { gpu: 1 } }, 'guarantees belong to projects'],
    [{ fleet_name: 'farm/hosts', weight: 1 }, "can't have a weight on one fleet"],
    [{ fleet_name: 'farm/hosts', limit: { runs: 1 } }, "can't limit waiting runs on one fleet"],
  ])('%j: %s', async (quota, text) => {
    const answer = await apply(quota);
    expect([400, 422]).toContain(answer.status);
    expect(JSON.stringify(answer.body)).toContain(text);
  });

  it('if the request names it twice, and then nothing is set', async () => {
    const before = await list();
    const one = { project_name: 'lab', user_name: null, fleet_name: null, limit: { gpu: 1 } };
    const answer = await server.call('/api/quotas/apply', { quotas: [one, one] });
    expect(JSON.stringify(answer.body)).toContain('names a quota twice');
    expect(await list()).toEqual(before);
  });
});

describe('a run', () => {
  it('that could never fit is refused when it is submitted', async () => {
    const answer = await submit({ gpu: 9 });
    expect(JSON.stringify(answer.body)).toContain(
      "Quota: the run needs 9 of at most 8 GPUs of project 'lab', so it could never start",
    );
    const gang = await submit({ gpu: 5 }, undefined, { nodes: 2 });
    expect(JSON.stringify(gang.body)).toContain('needs 10 of at most 8 GPUs');
    expect((await submit({ gpu: 8 })).status).toBe(200);
  });

  it('that needs a part of an instance is refused without the amount, which is not known yet', async () => {
    await apply({ user_name: 'ann', limit: { instances: 0 } }, 'boss');
    const answer = await submit({}, 'ann');
    expect(JSON.stringify(answer.body)).toContain(
      "Quota: the run needs more than the 0 instances of user 'ann' in project 'lab'",
    );
    await server.call('/api/quotas/delete', {
      quotas: [{ project_name: 'lab', fleet_name: null, user_name: 'ann' }],
    });
  });

  it('is refused where too many wait, and the text names the project', async () => {
    await apply({ user_name: '*', limit: { runs: 1 } }, 'boss');
    expect((await submit({ gpu: 1 }, 'ann')).status).toBe(200);
    const answer = await submit({ gpu: 1 }, 'ann');
    expect(JSON.stringify(answer.body)).toContain(
      "Quota: 1 run of the user 'ann' waits without a running job, and the quota allows 1 in project 'lab'",
    );
    const quotas = await list('ann');
    const each = quotas.find((one: { user_name: string }) => one.user_name === '*');
    expect(each.use).toContainEqual({
      ...{ resource: 'runs', user_name: 'ann', used: 1, guaranteed: null, limit: 1 },
    });
  });
});
