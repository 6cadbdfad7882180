import { FleetSpec } from '@dstack/contract/wire';
import { fleetRecord } from '@dstack/core/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { reset, StreamWorld } from '../testing/change-streams.ts';

let world: StreamWorld;
beforeEach(async () => {
  world = await StreamWorld.start();
});
afterEach(() => world.stop());

describe('a stream of changes', () => {
  it('sends a new run as the list returns it, its job, and its event', async () => {
    const stream = await world.ready();
    const applied = await world.submit('train');
    const run = await stream.change('run');
    const [listed] = await world.api('/api/runs/list', { job_submissions_limit: 1 });
    expect(run).toMatchObject({ id: applied.id, project: 'main', version: 0 });
    expect({ ...run.data, cost: 0 }).toEqual({ ...listed, cost: 0 });
    expect(await stream.change('job')).toMatchObject({
      id: applied.jobs[0].job_submissions[0].id,
      project: 'main',
      data: { run_name: 'train', replica_num: 0, job_num: 0, status: 'submitted' },
    });
    expect((await stream.change('event')).data).toMatchObject({ targets: [{ name: 'train' }] });
    await world.api('/api/project/main/runs/stop', { runs_names: ['train'], abort: true });
    expect(await stream.change('run')).toMatchObject({ data: { status: 'terminating' } });
  });

  it('works without stored events', async () => {
    await world.submit('train');
    const { store } = world.server;
    const stream = await world.ready();
    vi.spyOn(store.events, 'byIds').mockResolvedValue([]);
    await world.api('/api/project/main/runs/stop', { runs_names: ['train'], abort: true });
    expect(await stream.change('run')).toMatchObject({ data: { status: 'terminating' } });
  });

  it('sends fleets, volumes and parts of projects', async () => {
    const stream = await world.ready();
    const spec = { configuration: { type: 'fleet', name: 'pool', nodes: 0 }, profile: {} };
    await world.api('/api/project/main/fleets/apply', { plan: { spec }, force: false });
    expect(await stream.change('fleet')).toMatchObject({ data: { name: 'pool', instances: [] } });
    await world.secret('key');
    expect(await stream.change('project')).toMatchObject({
      project: 'main',
      version: null,
      data: { part: 'secrets' },
    });
  });

  it('has only what the caller may see', async () => {
    await world.api('/api/projects/create', { project_name: 'other' });
    const token = await world.user('ann', 'main');
    const stream = await world.ready(token);
    const admin = await world.ready();
    await world.secret('hidden', 'other');
    await world.submit('hidden', 'other');
    await world.user('bob');
    await world.secret('shown');
    expect(await stream.next()).toMatchObject({
      data: { type: 'project', project: 'main', data: { part: 'secrets' } },
    });
    // Changes that are read together come in any order.
    const first = await admin.firstOf(['project', 'run', 'user']);
    expect(first).toMatchObject([
      { project: 'other' },
      { project: 'other' },
      { data: { part: 'settings' } },
    ]);
  });

  it('has the project of a program only, and nothing of its owner', async () => {
    await world.api('/api/projects/create', { project_name: 'other' });
    const made = await world.api('/api/project/main/service_tokens/create', { name: 'ci' });
    const stream = await world.ready(made.token);
    await world.secret('hidden', 'other');
    await world.api('/api/users/refresh_ssh_key', { username: 'admin' });
    await world.secret('shown');
    expect(await stream.next()).toMatchObject({
      data: { type: 'project', project: 'main', data: { part: 'secrets' } },
    });
  });

  it('has imported fleets', async () => {
    await world.api('/api/projects/create', { project_name: 'lender' });
    const token = await world.user('ann', 'main');
    const spec = FleetSpec.parse({
      configuration: {
        type: 'fleet',
        name: 'lent',
        ssh_config: { user: 'root', hosts: ['10.0.0.1'] },
      },
      configuration_path: 'fleet.dstack.yml',
      profile: { name: 'default' },
    });
    const projectId = (await world.server.store.projects.byName('lender'))?.id ?? '';
    const { newId } = world.server.deps.context();
    const id = newId();
    await world.server.store.engine.createFleet({
      projectId,
      name: { exact: 'lent' },
      build: () => ({ fleet: fleetRecord({ id, projectId, name: 'lent', spec }), instances: [] }),
    });
    const stream = await world.ready(token);
    const exported = { name: 'share', importer_projects: ['main'], exported_fleets: ['lent'] };
    await world.api('/api/project/lender/exports/create', exported);
    expect(await stream.next()).toMatchObject(reset('access'));
    await world.secret('hidden', 'lender');
    await world.api('/api/project/lender/fleets/delete', { names: ['lent'] });
    expect(await stream.change('fleet')).toMatchObject({
      ...{ id, project: 'lender' },
      data: { name: 'lent', status: 'terminating' },
    });
  });

  it('sends only the types that were requested', async () => {
    const stream = world.open(world.server.token, null, '?types=run');
    await stream.next();
    await world.secret('key');
    await world.submit('train');
    expect(await stream.next()).toMatchObject({ data: { type: 'run' } });
  });

  it('combines changes of one record that come at once', async () => {
    await world.submit('train');
    const stream = await world.ready();
    const names = Array.from({ length: 50 }, (_, i) => `key-${i}`);
    await Promise.all(names.map((name) => world.secret(name)));
    await world.submit('last');
    let count = 0;
    for (;;) {
      const found = await stream.next();
      if (found?.data.type === 'project') count += 1;
      if (found?.data.type === 'run') break;
    }
    expect(count).toBeLessThan(50);
  });

  it('reads nothing without listeners', async () => {
    await world.submit('train');
    expect([world.loads, world.hub.listeners]).toEqual([0, 0]);
  });

  it('leaves out the data of a large record', async () => {
    const stream = await world.ready();
    const commands = ['x'.repeat(70_000)];
    const run_spec = { run_name: 'large', configuration: { type: 'task', commands } };
    await world.api('/api/project/main/runs/apply', {
      plan: { run_spec, current_resource: null },
      force: false,
    });
    const run = await stream.change('run');
    expect(Object.keys(run)).toEqual(['type', 'id', 'project', 'version']);
  });

  it.each(['?types=nonsense', '?types=run,nonsense'])('is refused for %s', async (query) => {
    const headers = { authorization: `Bearer ${world.server.token}` };
    expect((await fetch(`${world.url}/api/stream${query}`, { headers })).status).toBe(400);
    expect(world.server.access.watched).toBe(0);
  });

  it('is refused without a token', async () => {
    expect((await fetch(`${world.url}/api/stream`)).status).toBe(401);
  });

  it('is limited in number per user', async () => {
    const many = await Promise.all(Array.from({ length: 200 }, () => world.ready()));
    const headers = { authorization: `Bearer ${world.server.token}` };
    const refused = await fetch(`${world.url}/api/stream`, { headers });
    expect([refused.status, ((await refused.json()) as { detail: string }).detail]).toEqual([
      429,
      expect.stringContaining('200 streams'),
    ]);
    const ann = await world.ready(await world.user('ann', 'main'));
    await world.secret('news');
    for (const stream of [...many, ann]) await stream.change('project');
  });
});
