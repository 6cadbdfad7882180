/** A program of a gateway at a real server: what is its own, with lies about numbers, time and identity. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type LinkedGateway, linkedGateway, SIGN_INS } from './testing/linked-gateway.ts';

let world: LinkedGateway;
beforeEach(async () => {
  world = await linkedGateway();
});
afterEach(async () => {
  await world.close();
});

const now = () => Math.floor(Date.now() / 1000);
const today = () => Math.floor(Date.now() / 86_400_000);

const use = (more: object = {}) => ({
  ...{ project: 'main', user: 'admin', model: 'parrot', day: today(), requests: 1, aborted: 0 },
  ...{ estimated: 0, prompt_tokens: 3, completion_tokens: 4, ...more },
});
const tunnel = (more: object = {}) => ({
  ...{ type: 'tunnel', id: randomUUID(), host_id: 'local', job_id: world.own.jobId, port: 8000 },
  ...more,
});
const counts = (n: number, more: object) => ({
  ...{ type: 'counts', n, batch: null, counts: [], waiting: [], ...more },
});
const admit = (n: number, token: string, address: string) => ({
  ...{ type: 'admit', n, project: 'main', method: 'GET', limits: true, address },
  authorization: `Bearer ${token}`,
});

async function usageRows() {
  const { projects, modelUsage } = world.server.store;
  const id = (await projects.byName('main'))?.id ?? '';
  return await modelUsage.list(id, 0, today() + 1000);
}

it('what is its own is answered: callers, requests, tokens, reasons, ways to replicas', async () => {
  const { program, own, server } = world;
  program.send(
    admit(1, server.token, '192.0.2.7'),
    { type: 'is-token', n: 2, text: server.token },
    counts(3, { counts: [{ run_id: own.id, second: now(), requests: 2 }], waiting: [own.id] }),
    { type: 'usage', n: 4, batch: randomUUID(), uses: [use()] },
    tunnel(),
  );
  expect(await program.receives({ type: 'admitted', n: 1 })).toMatchObject({ user: 'admin' });
  expect(await program.receives({ type: 'token', n: 2 })).toMatchObject({ own: true });
  await program.receives({ type: 'counted', n: 3 });
  await program.receives({ type: 'used', n: 4 });
  await world.settled();
  expect(world.booked).toEqual([own.id, own.id]);
  expect(await usageRows()).toMatchObject([{ userName: 'admin', model: 'parrot', requests: 1 }]);
  expect(world.opened).toMatchObject([{ jobId: own.jobId, hostId: 'local', port: 8000 }]);
  expect(world.refused).toEqual([]);
});

it('a batch that is sent again counts once', async () => {
  const { program } = world;
  const batch = randomUUID();
  for (const n of [1, 2, 3]) {
    program.send({ type: 'usage', n, batch, uses: [use()] });
    await program.receives({ type: 'used', n });
  }
  expect(await usageRows()).toMatchObject([{ requests: 1 }]);
});

async function serviceToken(name: string, more: object) {
  const { server } = world;
  const created = await server.call('/api/project/main/service_tokens/create', { name, ...more });
  const { body } = await server.call('/api/project/main/service_tokens/list');
  const { id } = body.find((one: { readonly name: string }) => one.name === name);
  return { id, text: created.body.token };
}

const toModels = (n: number, token: string, kind: string | null = 'model') => ({
  ...admit(n, token, '192.0.2.7'),
  ...{ method: 'POST', ...(kind && { kind }) },
});

it('a token for models is admitted to models alone, with its limits and the end of its budget', async () => {
  const { program } = world;
  const limits = { models: ['parrot'], tokens_per_day: 10, requests_per_minute: 5 };
  const { id, text } = await serviceToken('bounded', { scope: 'models', ...limits });
  const answerTo = async (n: number, asked: object) => {
    program.send(asked);
    return await program.receives({ type: 'admitted', n });
  };
  expect(await answerTo(1, toModels(1, text))).toMatchObject({
    user: 'admin',
    token: { id, models: ['parrot'], requests_per_minute: 5, has_budget: true, used_up: null },
  });
  // An earlier program asks for services.
  expect(await answerTo(2, toModels(2, text, null))).toMatchObject({ user: null, status: 403 });
  const batch = randomUUID();
  program.send({ type: 'usage', n: 3, batch, uses: [use({ token: id, prompt_tokens: 9 })] });
  await program.receives({ type: 'used', n: 3 });
  expect(await answerTo(4, toModels(4, text))).toMatchObject({
    token: { used_up: { retry_after: expect.any(Number) } },
  });
});

it('a gateway charges no token of another user, and a deleted token charges none', async () => {
  const { program, server } = world;
  await server.call('/api/users/create', { username: 'bob', global_role: 'user' });
  const members = [{ username: 'bob', project_role: 'user' }];
  await server.call('/api/project/main/add_members', { members });
  const { id } = await serviceToken('own', { scope: 'models' });
  const uses = [use({ token: id, user: 'bob' }), use({ token: randomUUID() })];
  program.send({ type: 'usage', n: 1, batch: randomUUID(), uses });
  await program.receives({ type: 'used', n: 1 });
  expect(await usageRows()).toMatchObject([{ userName: 'admin', requests: 1 }]);
  expect(world.refused).toEqual(['usage']);
});

it('numbers that cannot be are cut to what can', async () => {
  const { program, own, server } = world;
  const lies = [
    use({ aborted: 9, estimated: 9, prompt_tokens: 1e14 / 200 }),
    use({ day: today() + 500 }),
    use({ day: 3, model: 'parrot' }),
  ];
  program.send({ type: 'usage', n: 1, batch: null, uses: lies });
  await program.receives({ type: 'used', n: 1 });
  expect(await usageRows()).toMatchObject([
    { day: today(), requests: 2, aborted: 1, estimated: 1, promptTokens: 100_000_003 },
  ]);
  const row = (second: number, requests: number) => ({ run_id: own.id, second, requests });
  const all = [row(now() + 1e9, 9e6), row(now() + 2e9, 9e6), row(5, 7)];
  const stored = vi.spyOn(server.store.services, 'addRequests');
  program.send(counts(2, { counts: all }));
  await program.receives({ type: 'counted', n: 2 });
  const [, counted] = stored.mock.lastCall ?? [];
  expect(counted?.map(({ requests }) => requests)).toEqual([10_000_000]);
});

it.each([
  ['a negative number', '"requests":-1', /requests is not a whole number/],
  ['no number', '"requests":null', /requests is not a whole number/],
  ['a number without end', '"requests":1e999', /requests is not a whole number/],
  ['a number beyond all sums', '"requests":9007199254740991', /requests is not a whole number/],
  ['a name with a line break', '"requests":1,"user":"a\\nb"', /user contains control/],
])('%s closes the link, whose state is the reason', async (_name, part, reason) => {
  const { program, server, gatewayId } = world;
  const whole = JSON.stringify({ type: 'usage', n: 1, batch: null, uses: [use()] });
  const text = whole.replace('"requests":1', part);
  program.send(part.includes('user') ? text.replace('"user":"admin",', '') : text);
  await program.linked(2);
  const view = await server.store.gateways.byId(gatewayId);
  expect(view?.reports[0]?.text).toMatch(reason);
  expect(await usageRows()).toEqual([]);
});

it('a service and a user that were deleted are passed over, as late messages are', async () => {
  const { program, server, own, links } = world;
  await server.call('/api/users/create', { username: 'bob', global_role: 'user' });
  await server.call('/api/project/main/add_members', {
    members: [{ username: 'bob', project_role: 'user' }],
  });
  await server.call('/api/users/delete', { users: ['bob'] });
  await server.call('/api/project/main/runs/stop', { runs_names: ['own'], abort: true });
  const view = await server.store.runs.byId(own.id);
  await server.store.engine.apply([
    {
      ...{ type: 'run.update', id: own.id, version: view?.run.version ?? 0 },
      set: { status: 'terminated' },
    },
  ]);
  links.runChanged(own.id);
  await program.receives({ type: 'service', run_id: own.id, service: null });
  program.send(
    { type: 'usage', n: 1, batch: null, uses: [use({ user: 'bob' }), use()] },
    counts(2, { counts: [{ run_id: own.id, second: now(), requests: 2 }], waiting: [own.id] }),
    { type: 'why', n: 3, run_id: own.id },
  );
  await program.receives({ type: 'used', n: 1 });
  await program.receives({ type: 'counted', n: 2 });
  expect(await program.receives({ type: 'because', n: 3 })).toMatchObject({ status: 404 });
  expect(world.booked).toEqual([]);
  // The server still books usage from before the model ended.
  expect(await usageRows()).toMatchObject([{ userName: 'admin', requests: 1 }]);
});

it('guesses of tokens are slowed down whichever addresses the gateway reports', async () => {
  const { program, server } = world;
  const most = SIGN_INS * 10;
  const answerTo = async (n: number) =>
    (await program.receives({ type: 'admitted', n })) as { status: number };
  for (let n = 0; n < most; n++) {
    program.send(admit(n, `guess-${n}`, `198.51.100.${n}`));
    expect(await answerTo(n)).toMatchObject({ status: 403 });
  }
  const burst = Array.from({ length: 20 }, (_, at) => 1000 + at);
  program.send(...burst.map((n) => admit(n, `guess-${n}`, `203.0.113.${n - 1000}`)));
  const statuses = await Promise.all(burst.map(async (n) => (await answerTo(n)).status));
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(10);
  program.send(admit(5000, server.token, '192.0.2.9'));
  expect(await program.receives({ type: 'admitted', n: 5000 })).toBeDefined();
});

it('a burst of questions about texts is answered in turn', async () => {
  const { program } = world;
  const all = Array.from({ length: 90 }, (_, n) => n);
  program.send(...all.map((n) => ({ type: 'is-token', n, text: `text-${n}` })));
  await Promise.all(all.map((n) => program.receives({ type: 'token', n, own: false })));
  expect(program.isLinked).toBe(true);
});

it.each([
  ['messages about foreign things', () => tunnel({ port: 1 }), 'tunnel'],
  ['messages of unknown types', () => ({ type: 'weather' }), 'unknown'],
])('too many %s close the link, with an event', async (_name, message, type) => {
  const { program, server } = world;
  program.send(...Array.from({ length: 1200 }, message));
  await program.ended();
  expect(world.refused.length).toBe(1001);
  expect(new Set(world.refused)).toEqual(new Set([type]));
  const events = async () => {
    const all = await server.store.events.list({ visibleTo: null });
    return all.filter(({ message: text }) => text.startsWith('Replica 0 of gateway edge has sent'));
  };
  await expect.poll(async () => (await events()).length).toBe(1);
  await expect
    .poll(async () => (await server.store.gateways.byId(world.gatewayId))?.reports[0]?.text)
    .toMatch(/has sent too many messages/);
  expect(program.links).toBe(1);
});

it('a gateway that has just been deleted is not answered, and its connections end', async () => {
  const { program, server, links, gatewayId, replicaId } = world;
  program.send(tunnel());
  await expect.poll(() => program.tunnels.length).toBe(1);
  await expect.poll(() => world.opened.length).toBe(1);
  const replica = await server.store.gateways.replicaById(replicaId);
  await server.store.engine.apply([
    {
      ...{ type: 'gateway-replica.update', id: replicaId, version: replica?.version ?? 0 },
      set: { status: 'terminated', deleted: true },
    },
  ]);
  links.changed(gatewayId);
  program.send({ type: 'usage', n: 1, batch: null, uses: [use()] });
  await program.ended();
  await expect.poll(() => program.tunnels[0]?.destroyed).toBe(true);
  program.send(tunnel());
  expect(world.opened).toHaveLength(1);
});
