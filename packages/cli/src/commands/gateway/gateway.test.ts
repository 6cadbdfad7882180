import { expect, test } from 'vitest';
import { BASE } from '../../testing/apply-run.ts';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const gateway = {
  ...{ name: 'edge', project_name: 'main', status: 'running', hostname: null, default: false },
  configuration: { backend: 'remote', region: 'pool', domain: 'apps.example.com' },
  wildcard_domain: 'apps.example.com',
  created_at: '2026-11-23T15:00:00Z',
  replicas: [],
  certificates: [],
};

test('a gateway is set to refuse new services, and to accept them again', async () => {
  const sent: { plan: { spec: { configuration: object }; current_resource: object } }[] = [];
  let shown: object = gateway;
  const fake = await startFakeServer({
    [`POST ${BASE}/gateways/list`]: () => ({ json: [shown] }),
    [`POST ${BASE}/gateways/apply`]: ({ body }) => {
      sent.push(body as (typeof sent)[number]);
      shown = { ...gateway, ...(body as (typeof sent)[number]).plan.spec };
      return { json: shown };
    },
  });
  const update = (...args: string[]) =>
    runCommand(['gateway', 'update', 'edge', ...args], { env: serverEnv(fake.url) });
  const { code, out } = await update('--forbid-new-services');
  expect([code, out]).toEqual([0, expect.stringMatching(/running, no new services/)]);
  const { configuration } = gateway;
  expect(sent.at(-1)?.plan).toEqual({
    spec: {
      configuration: { ...configuration, forbid_new_services: true },
      configuration_path: null,
    },
    current_resource: gateway,
  });
  expect((await update('--allow-new-services')).out).not.toMatch(/no new services/);
  expect(sent.at(-1)?.plan.spec.configuration).toMatchObject({ forbid_new_services: false });
  expect((await update('--forbid-new-services', '--allow-new-services')).code).toBe(2);
  const { code: nothing, err } = await update();
  expect([nothing, err]).toEqual([2, expect.stringMatching(/--forbid-new-services/)]);
});

test('a gateway with services is deleted only with --force', async () => {
  const sent: unknown[] = [];
  const refusal = 'Gateway edge is used by a service (web). Stop it';
  const fake = await startFakeServer({
    [`POST ${BASE}/gateways/get`]: { json: gateway },
    [`POST ${BASE}/gateways/delete`]: ({ body }) => {
      sent.push(body);
      const isForced = 'force' in (body as object);
      if (isForced) return { json: null };
      return { status: 400, json: { detail: [{ msg: refusal, code: 'error' }] } };
    },
  });
  const remove = (...args: string[]) =>
    runCommand(['gateway', 'delete', 'edge', '-y', ...args], { env: serverEnv(fake.url) });
  expect(await remove()).toMatchObject({ code: 1, err: expect.stringContaining(refusal) });
  expect(await remove('--force')).toMatchObject({ code: 0 });
  expect(sent).toEqual([{ names: ['edge'] }, { names: ['edge'], force: true }]);
});

test('a list shows what is wrong with the only replica of a gateway', async () => {
  const replica = {
    ...{ replica_num: 0, backend: 'remote', region: 'pool', hostname: '192.0.2.1' },
    ...{ status: 'running', status_message: 'The disk is full', created_at: gateway.created_at },
  };
  const fake = await startFakeServer({
    [`POST ${BASE}/gateways/list`]: { json: [{ ...gateway, replicas: [replica] }] },
  });
  const { out } = await runCommand(['gateway', 'list', '-v'], { env: serverEnv(fake.url) });
  expect(out).toContain('The disk is full');
});
