import { endpoints } from '@dstack/contract/api';
import type { InstanceRecord } from '@dstack/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertInstances } from '../testing/services.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let names: string[];
const tokens: Record<string, string> = {};
beforeAll(async () => {
  server = await startTestServer();
  await insertInstances(server, 3);
  names = (await server.store.instances.list({ projectIds: null }))
    .map(({ instance }) => instance.name)
    .sort();
  for (const name of names.slice(0, 2)) await change(name, { backend: 'remote' });
  const roles = { ann: 'manager', bob: 'user' };
  for (const [username, project_role] of Object.entries(roles)) {
    await server.call('/api/users/create', { username, global_role: 'user' });
    const { body } = await server.call('/api/users/get_user', { username });
    tokens[username] = body.creds.token;
    const members = [{ username, project_role }];
    await server.call('/api/projects/main/add_members', { members });
  }
});
afterAll(() => server.close());

const cordon = (body: object, user = 'ann', project = 'main') =>
  server.call(`/api/project/${project}/instances/cordon`, body, { token: tokens[user] });
const uncordon = (body: object, user = 'ann') =>
  server.call('/api/project/main/instances/uncordon', body, { token: tokens[user] });

async function change(name: string, set: Partial<InstanceRecord>): Promise<void> {
  const { id = '', version = 0 } = (await byName(name)) ?? {};
  await server.store.engine.apply([{ type: 'instance.update', id, version, set }]);
}

async function byName(name: string) {
  const found = await server.store.instances.list({ projectIds: null });
  return found.find(({ instance }) => instance.name === name)?.instance;
}

const drain = (body: object, user = 'ann') =>
  server.call('/api/project/main/instances/drain', body, { token: tokens[user] });

describe('drain', () => {
  it('cordons, has a deadline, by default an hour later, and is drained once no job is left', async () => {
    const { body, status } = await drain({ names: names.slice(0, 2), reason: 'a fan' });
    expect(status).toBe(200);
    expect(endpoints['instances.drain'].response.parse(body)).toEqual(body);
    const { state, by, since, deadline, until } = body[1].scheduling;
    expect([state, by, until]).toEqual(['draining', 'ann', null]);
    expect(Date.parse(deadline) - Date.parse(since)).toBe(3600_000);
    const { body: events } = await server.call('/api/events/list', {
      target_instances: [body[1].id],
    });
    // All are cordoned before the first is drained.
    expect(events.map(({ action }: { action: string }) => action).slice(0, 2)).toEqual([
      'instance.draining',
      'instance.cordoned',
    ]);
    const shorter = await drain({ names: [names[1]], seconds: 60 });
    const moved = shorter.body[0].scheduling;
    expect(Date.parse(moved.deadline) - Date.parse(moved.since)).toBe(60_000);
    await uncordon({ names: names.slice(0, 2) });
    expect((await byName(names[1] ?? ''))?.scheduling).toBeNull();
  });

  it('becomes a cordon when the instance is cordoned: jobs that can stay do', async () => {
    await drain({ names: [names[0]] });
    const { body } = await cordon({ names: [names[0]], reason: 'later' });
    expect(body[0].scheduling).toMatchObject({ state: 'cordoned', deadline: null });
    await uncordon({ names: [names[0]] });
  });

  it('takes at most 30 days, and is for managers', async () => {
    expect((await drain({ names, seconds: 30 * 86_400 + 1 })).status).toBe(422);
    expect((await drain({ names, seconds: 0 })).status).toBe(422);
    expect((await drain({ names }, 'bob')).status).toBe(403);
  });
});

describe('cordon', () => {
  it('keeps its reason, its user and its end, and answers with the instances', async () => {
    const until = '2100-01-01T00:00:00Z';
    const { body, status } = await cordon({ names: names.slice(0, 2), reason: 'a fan', until });
    expect(status).toBe(200);
    expect(endpoints['instances.cordon'].response.parse(body)).toEqual(body);
    expect(body).toHaveLength(2);
    expect(body[0]).toMatchObject({
      ...{ name: names[0], status: 'busy' },
      scheduling: { state: 'cordoned', reason: 'a fan', by: 'ann', until },
    });
    const { body: events } = await server.call('/api/events/list', {
      target_instances: [body[0].id],
    });
    expect(events.map(({ message }: { message: string }) => message)).toContain(
      'Instance cordoned until 2100-01-01 00:00:00 UTC: a fan',
    );
    const again = await uncordon({ names: names.slice(0, 2) });
    expect(again.body[0]).not.toHaveProperty('scheduling');
    expect((await byName(names[0] ?? ''))?.scheduling).toBeNull();
  });

  it('writes nothing unless all names are known', async () => {
    const { body, status } = await cordon({ names: [names[0], 'nothing-7'], reason: null });
    expect([status, body.detail[0].msg]).toEqual([400, 'Project main has no instance nothing-7']);
    expect((await byName(names[0] ?? ''))?.scheduling).toBeNull();
  });

  it('refuses an end that is over, a reason of several lines, and no names', async () => {
    const past = await cordon({ names, until: '2001-01-01T00:00:00Z' });
    expect([past.status, past.body.detail[0].msg]).toEqual([
      400,
      '`until` is over: give a time in the future',
    ]);
    expect((await cordon({ names, reason: 'a\nb' })).status).toBe(422);
    expect((await cordon({ names: [] })).status).toBe(422);
  });

  it('is for managers of the project that owns the instance', async () => {
    expect((await cordon({ names }, 'bob')).status).toBe(403);
    await server.call('/api/projects/create', { project_name: 'other' });
    const members = [{ username: 'ann', project_role: 'admin' }];
    await server.call('/api/projects/other/add_members', { members });
    const foreign = await cordon({ names }, 'ann', 'other');
    expect([foreign.status, foreign.body.detail[0].msg]).toEqual([
      400,
      `Project other has no instance ${names[0]}`,
    ]);
  });

  it("is for global admins on the server's machine", async () => {
    const refused = await cordon({ names });
    expect(refused.status).toBe(403);
    expect(refused.text).toContain(`${names[2]} is on the server's machine`);
    expect((await byName(names[0] ?? ''))?.scheduling).toBeNull();
    const path = '/api/project/main/instances/cordon';
    const admin = await server.call(path, { names: [names[2]] });
    expect([admin.status, admin.body[0].scheduling.by]).toEqual([200, 'admin']);
  });

  it('is shown in place of the quarantine of a host that cannot start jobs', async () => {
    const { id = '' } = (await byName(names[1] ?? '')) ?? {};
    const hostTrouble = { executorFails: false, failedStarts: 1, cause: 'x', coolsUntil: 1e15 };
    await change(names[1] ?? '', { hostTrouble, health: 'failure', healthMessage: 'starts: x' });
    const shown = await server.call('/api/project/main/instances/get', { id });
    expect(shown.body.scheduling).toEqual({
      ...{ state: 'quarantined', reason: 'starts: x', by: null, since: null },
      ...{ until: '2001-09-09T01:46:40Z', deadline: null },
    });
    const { body } = await cordon({ names: [names[1]], reason: null });
    expect(body[0].scheduling.state).toBe('cordoned');
  });
});
