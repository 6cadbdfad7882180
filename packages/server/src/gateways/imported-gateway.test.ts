/** A gateway of project `main` that also serves project `guest`, which imports it: its messages are bound to both. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { insertInstances, serveAt, submitService } from '../http/testing/services.ts';
import { type LinkedGateway, linkedGateway } from './testing/linked-gateway.ts';

let world: LinkedGateway;
/** Tokens of members of `guest`, of `shop`, which imports the gateway without a service, and of `main`. */
let tokens: { readonly gina: string; readonly sam: string; readonly mia: string };
/** The service of `guest` behind the gateway, and one of `guest` that is behind none. */
let visitor: { readonly id: string; readonly jobId: string };
let hidden: { readonly id: string; readonly jobId: string };

const MODEL = { type: 'chat', format: 'openai' } as const;
const now = () => Math.floor(Date.now() / 1000);
const today = () => Math.floor(Date.now() / 86_400_000);

beforeEach(async () => {
  world = await linkedGateway();
  const { server } = world;
  const tokenOf = async (username: string, project: string) => {
    await server.call('/api/projects/create', { project_name: project });
    await server.call('/api/users/create', { username, global_role: 'user' });
    const members = [{ username, project_role: 'user' }];
    await server.call(`/api/projects/${project}/add_members`, { members });
    return (await server.call('/api/users/get_user', { username })).body.creds.token as string;
  };
  tokens = {
    gina: await tokenOf('gina', 'guest'),
    sam: await tokenOf('sam', 'shop'),
    mia: await tokenOf('mia', 'main'),
  };
  const exported = await server.call('/api/project/main/exports/create', {
    ...{ name: 'shared', importer_projects: ['guest', 'shop'], exported_gateways: ['edge'] },
  });
  expect(exported.status).toBe(200);
  const instances = await insertInstances(server, 1);
  const served = async (name: string, more: object) => {
    const { id } = await submitService(server, name, { https: false, ...more }, 'guest');
    const [job] = await serveAt(server, id, [8000], instances);
    world.links.runChanged(id);
    return { id, jobId: job?.id ?? '' };
  };
  const model = { ...MODEL, name: 'cuckoo' };
  hidden = await served('hidden', { https: 'auto', gateway: false });
  visitor = await served('visitor', { gateway: 'main/edge', model });
  await world.program.receives({ type: 'service' });
  await world.settled();
});
afterEach(() => world.close());

const admit = async (n: number, project: string, token: string) => {
  world.program.send({
    ...{ type: 'admit', n, project, method: 'GET', limits: true, address: '192.0.2.7' },
    authorization: `Bearer ${token}`,
  });
  return (await world.program.receives({ type: 'admitted', n })) as {
    readonly user: string | null;
  };
};
const usage = async (n: number, more: object) => {
  const use = {
    ...{ project: 'guest', user: 'gina', model: 'cuckoo', day: today(), requests: 1, aborted: 0 },
    ...{ estimated: 0, prompt_tokens: 3, completion_tokens: 4, ...more },
  };
  world.program.send({ type: 'usage', n, batch: randomUUID(), uses: [use] });
  await world.program.receives({ type: 'used', n });
};
const usageOf = async (project: string) => {
  const { projects, modelUsage } = world.server.store;
  const id = (await projects.byName(project))?.id ?? '';
  const rows = await modelUsage.list(id, 0, today() + 10);
  return rows.map(({ userName, model }) => [userName, model]);
};
const tunnel = (jobId: string, port = 8000) =>
  world.program.send({
    ...{ type: 'tunnel', id: randomUUID(), host_id: 'local', job_id: jobId, port },
  });

it('admits members of each project to the services of that project only', async () => {
  expect((await admit(1, 'guest', tokens.gina)).user).toBe('gina');
  expect((await admit(2, 'main', tokens.mia)).user).toBe('mia');
  expect((await admit(3, 'main', tokens.gina)).user).toBeNull();
  expect((await admit(4, 'guest', tokens.mia)).user).toBeNull();
  expect(world.refused).toEqual([]);
});

it('admits no caller to a project that imports it and has nothing behind it', async () => {
  expect((await admit(1, 'shop', tokens.sam)).user).toBeNull();
  expect(world.refused).toEqual(['admit']);
});

it('books what a model of the importing project has used to this project and its members', async () => {
  await usage(1, {});
  expect(await usageOf('guest')).toEqual([['gina', 'cuckoo']]);
  const foreign = [{ user: 'mia' }, { project: 'main' }, { project: 'shop', user: 'sam' }];
  for (const [n, more] of foreign.entries()) await usage(2 + n, more);
  await usage(9, { model: 'parrot' });
  expect(await usageOf('guest')).toEqual([['gina', 'cuckoo']]);
  expect(await usageOf('main')).toEqual([]);
  expect(await usageOf('shop')).toEqual([]);
  expect(world.refused).toEqual(['usage', 'usage', 'usage', 'usage']);
});

it('counts, wakes and reaches its service, and no other one of the importing project', async () => {
  for (const { id } of [visitor, hidden]) {
    const counts = [{ run_id: id, second: now(), requests: 2 }];
    const batch = randomUUID();
    world.program.send({ type: 'counts', n: 1, batch, counts, waiting: [id] });
    world.program.send({
      ...{ type: 'load', worker: 'w' },
      slots: [{ run_id: id, slot: Math.floor(now() / 5), busy_ms: 9, latencies: {} }],
    });
  }
  tunnel(visitor.jobId);
  tunnel(visitor.jobId, 8888);
  tunnel(hidden.jobId);
  world.program.send({ type: 'why', n: 7, run_id: hidden.id });
  expect(await world.program.receives({ type: 'because', n: 7 })).toMatchObject({ status: 404 });
  await world.settled();
  expect(new Set(world.booked)).toEqual(new Set([visitor.id]));
  expect(world.opened).toMatchObject([{ jobId: visitor.jobId, port: 8000 }]);
  expect([...world.refused].sort()).toEqual(['counts', 'load', 'tunnel', 'tunnel', 'why']);
});

it("gets records for its domain by the proof of the gateway's own project, not of the importing one", async () => {
  const { projects } = world.server.store;
  const dns = async (n: number) => {
    const name = '_acme-challenge.apps.test';
    world.program.send({ type: 'dns', n, action: 'add', name, value: 'x'.repeat(43) });
    return (await world.program.receives({ type: 'dns-done', n })) as { readonly error: unknown };
  };
  world.domains.set('guest', ['apps.test']);
  const guest = await projects.byName('guest');
  world.texts.set('_dstack.apps.test', [`dstack-project=${guest?.id}`]);
  expect((await dns(1)).error).toContain('_dstack.apps.test TXT');
  expect(world.records).toEqual([]);
  world.domains.set('main', ['apps.test']);
  expect((await dns(2)).error).toBeNull();
});

it('speaks for the importing project no longer once its service has ended', async () => {
  const { server, program, links } = world;
  await server.call('/api/project/guest/runs/stop', { runs_names: ['visitor'], abort: true });
  const { run } = (await server.store.runs.byId(visitor.id)) ?? {};
  const set = { status: 'terminated' } as const;
  const [job] = await server.store.jobs.ofRun(visitor.id);
  await server.store.engine.apply([
    { type: 'run.update', id: visitor.id, version: run?.version ?? 0, set },
    { type: 'job.update', id: visitor.jobId, version: job?.version ?? 0, set },
  ]);
  links.runChanged(visitor.id);
  await program.receives({ type: 'service', run_id: visitor.id, service: null });
  expect((await admit(1, 'guest', tokens.gina)).user).toBeNull();
  // Earlier usage is still booked: a report of it may take long to arrive.
  await usage(2, {});
  expect(await usageOf('guest')).toEqual([['gina', 'cuckoo']]);
  expect(world.refused).toEqual(['admit']);
});
