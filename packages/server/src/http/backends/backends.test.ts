import type { Event } from '@dstack/contract/wire';
import type { IntentRecord, Offer } from '@dstack/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { withoutOrigin } from '../../backend-config/origin.ts';
import { insertInstances } from '../testing/services.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const path = (action: string) => `/api/project/main/backends/${action}`;
const aws = (creds: object, more: object = {}) => ({ type: 'aws', creds, ...more });
const KEYS = { type: 'access_key', access_key: 'AKIA1', secret_key: 'hush' };

const projectId = async (): Promise<string> =>
  (await server.store.projects.byName('main'))?.id ?? '';
const stored = async (type: 'aws' | 'slurm') =>
  server.store.backends.byType(await projectId(), type);

const eventsOf = async (action: string) => {
  const { body } = await server.call('/api/events/list', { limit: 100 });
  return (body as Event[]).filter((event) => event.action === `backend.${action}`);
};

describe('backends', () => {
  it('have an event of each change, which names credentials and never shows them', async () => {
    const first = { ...KEYS, secret_key: 'first-hidden-value' };
    const config = { regions: ['eu-west-1'], creds: first };
    await server.call(path('create'), { type: 'aws', ...config });
    await server.call(path('update'), { type: 'aws', ...config });
    const second = { ...KEYS, access_key: 'AKIA2', secret_key: 'second-hidden-value' };
    await server.call(path('update'), aws(second, { regions: ['us-east-1'] }));
    await server.call(path('delete'), { backends_names: ['aws', 'gcp'] });
    const all = await Promise.all(['created', 'updated', 'deleted'].map(eventsOf));
    expect(all.flat()).toMatchObject([
      { message: 'Backend aws created', data: { backend: 'aws' } },
      {
        message: 'Backend aws updated. Changed fields: regions, creds',
        data: {
          backend: 'aws',
          fields: ['regions', 'creds'],
          changes: [
            { field: 'regions', before: ['eu-west-1'], after: ['us-east-1'] },
            { field: 'creds', hidden: 'secret' },
          ],
        },
        targets: [{ type: 'project', name: 'main' }],
        actor_user: 'admin',
      },
      { message: 'Backend aws deleted', data: { backend: 'aws' } },
    ]);
    expect(JSON.stringify(all)).not.toMatch(/hidden-value|AKIA/);
  });

  it('whose deletion is refused have no event of it', async () => {
    const before = await eventsOf('deleted');
    await server.call(path('delete'), { backends_names: ['lambda'] });
    expect(await eventsOf('deleted')).toEqual(before);
  });

  it('do not return their secrets', async () => {
    const created = await server.call(path('create'), aws(KEYS, { regions: ['eu-west-1'] }));
    expect(created.body.creds).toEqual({ ...KEYS, secret_key: '********' });
    const info = await server.call(path('aws/config_info'));
    expect(info.body).toEqual(created.body);
    const project = await server.call('/api/projects/main/get');
    const shown = project.body.backends.find((one: { name: string }) => one.name === 'aws');
    expect(shown.config).toMatchObject({ type: 'aws', regions: ['eu-west-1'] });
    expect(JSON.stringify(project.body.backends)).not.toMatch(/creds|hush|AKIA1/);
    expect((await stored('aws'))?.auth).toEqual({ creds: KEYS });
    const again = await server.call(path('create'), aws(KEYS));
    expect(again.body.detail[0].code).toBe('resource_exists');
  });

  it('keep the stored value for a mask, and refuse a mask without a stored value', async () => {
    const info = await server.call(path('aws/config_info'));
    const changed = { ...info.body, regions: ['us-east-1'] };
    expect((await server.call(path('update'), changed)).status).toBe(200);
    expect(await stored('aws')).toMatchObject({
      auth: { creds: KEYS },
      config: { regions: ['us-east-1'] },
    });
    const gcp = {
      type: 'gcp',
      project_id: 'p',
      creds: { type: 'service_account', data: '********' },
    };
    const refused = await server.call(path('create'), gcp);
    expect(refused.body.detail).toMatchObject([
      { code: 'invalid_credentials', fields: ['creds', 'data'] },
    ]);
    const absent = await server.call(path('update'), { ...gcp, creds: { type: 'default' } });
    expect(absent.body.detail[0].code).toBe('resource_not_exists');
  });

  it("are marked as the operator's only if a global admin has written them last", async () => {
    const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n';
    const cluster = {
      ...{ name: 'a', hostname: '127.0.0.1', user: 'dstack' },
      private_key: { path: '', content: key },
    };
    const slurm = { type: 'slurm', clusters: [cluster] };
    const isOperators = async () =>
      withoutOrigin((await stored('slurm'))?.config ?? {}).isOperators;
    const created = await server.call(path('create'), slurm);
    expect(JSON.stringify(created.body)).not.toContain('operator');
    expect(await isOperators()).toBe(true);
    const user = await server.call('/api/users/create', { username: 'pia', global_role: 'user' });
    const members = [{ username: 'pia', project_role: 'admin' }];
    await server.call('/api/projects/main/add_members', { members });
    const { body } = await server.call('/api/users/refresh_token', { username: 'pia' });
    expect(user.status).toBe(200);
    const token = body.creds.token;
    expect((await server.call(path('update'), slurm, { token })).status).toBe(200);
    expect(await isOperators()).toBe(false);
    await server.call(path('delete'), { backends_names: ['slurm'] });
  });

  it('find the stored key of a cluster by its name', async () => {
    const content =
      '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n';
    const cluster = (name: string, key: string) => ({
      ...{ name, hostname: `${name}.example`, user: 'dstack' },
      private_key: { content: key },
    });
    const keys = { one: content, two: content.replace('AAAA', 'BBBB') };
    const clusters = [cluster('one', keys.one), cluster('two', keys.two)];
    const created = await server.call(path('create'), { type: 'slurm', clusters });
    expect(created.status).toBe(200);
    expect(created.text).not.toMatch(/AAAA|BBBB/);
    const [one, two] = created.body.clusters;
    const swapped = { ...created.body, clusters: [two, one] };
    expect((await server.call(path('update'), swapped)).status).toBe(200);
    const record = await stored('slurm');
    expect(record?.auth.clusters).toMatchObject([
      { private_key: { content: keys.two } },
      { private_key: { content: keys.one } },
    ]);
    expect(JSON.stringify(record?.config)).not.toContain('private_key');
  });

  it('show no key of a jump host, and keep it when its mask is sent back', async () => {
    const content =
      '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n';
    const cluster = (name: string, jump: object | null) => ({
      ...{ name, hostname: `${name}.example`, user: 'dstack', private_key: { content } },
      ...{ proxy_jump: jump && { hostname: 'jump.example', user: 'hop', ...jump } },
    });
    const own = { private_key: { content: content.replace('AAAA', 'CCCC') } };
    const clusters = [cluster('own', own), cluster('same', {}), cluster('direct', null)];
    const verb = (await stored('slurm')) ? 'update' : 'create';
    const created = await server.call(path(verb), { type: 'slurm', clusters });
    expect(created.status).toBe(200);
    expect(created.text).not.toMatch(/AAAA|CCCC/);
    expect(created.body.clusters.map((one: { proxy_jump?: unknown }) => one.proxy_jump)).toEqual([
      expect.objectContaining({ hostname: 'jump.example', private_key: expect.anything() }),
      { hostname: 'jump.example', port: null, user: 'hop', private_key: null },
      undefined,
    ]);
    const moved = created.body.clusters.toReversed();
    const updated = await server.call(path('update'), { ...created.body, clusters: moved });
    expect(updated.status).toBe(200);
    const record = await stored('slurm');
    expect(record?.auth.clusters).toMatchObject([
      { private_key: { content } },
      { private_key: { content }, proxy_jump: { private_key: null } },
      { private_key: { content }, proxy_jump: own },
    ]);
    expect(JSON.stringify(record?.config)).not.toContain('private_key');
    expect(record?.config.clusters).toMatchObject([{}, {}, { proxy_jump: { user: 'hop' } }]);
  });

  it('name every invalid field of credentials', async () => {
    const empty = await server.call(
      path('update'),
      aws({ ...KEYS, access_key: '', secret_key: '' }),
    );
    expect(empty.body.detail.map((one: { fields: string[] }) => one.fields)).toEqual([
      ['creds', 'access_key'],
      ['creds', 'secret_key'],
    ]);
    const gcp = { type: 'gcp', project_id: 'p', creds: { type: 'service_account', data: '{}' } };
    expect((await server.call(path('create'), gcp)).body.detail[0].msg).toMatch(/service account/);
    const rules = { type: 'gcp', project_id: 'p', creds: { type: 'default' }, subnetworks: {} };
    expect((await server.call(path('create'), rules)).body.detail[0].msg).toMatch(/vpc_name/);
    const unknown = { type: 'tensordock', creds: { api_key: 'a', api_token: 'b' } };
    const answer = await server.call(path('create'), unknown);
    expect(answer.body.detail[0].code).toBe('backend_not_available');
  });

  it('refuse default credentials if they are disabled', async () => {
    const strict = await startTestServer({ defaultCredentials: false });
    const answer = await strict.call(path('create'), aws({ type: 'default' }));
    expect(answer.body.detail).toMatchObject([{ code: 'invalid_credentials', fields: ['creds'] }]);
    await strict.close();
  });

  it('are written and read as YAML without nulls', async () => {
    const yaml = await server.call(path('aws/get_yaml'));
    expect(yaml.body.name).toBe('aws');
    expect(yaml.body.config_yaml).toBe(
      'type: aws\nregions: [us-east-1]\ncreds:\n  type: access_key\n  access_key: AKIA1\n  secret_key: "********"\n',
    );
    const config_yaml = yaml.body.config_yaml.replace('us-east-1', 'eu-north-1');
    expect((await server.call(path('update_yaml'), { config_yaml })).text).toBe('null');
    expect((await stored('aws'))?.auth).toEqual({ creds: KEYS });
    const after = parse((await server.call(path('aws/get_yaml'))).body.config_yaml);
    expect(after.regions).toEqual(['eu-north-1']);
    const broken = await server.call(path('create_yaml'), { config_yaml: 'a: [' });
    expect(broken.body.detail[0].msg).toMatch(/^Error parsing YAML/);
    const wrong = await server.call(path('create_yaml'), { config_yaml: 'type: lambda\nzzz: 1' });
    expect(wrong.body.detail[0].msg).toMatch(/creds/);
    expect((await server.call(path('nosuch/get_yaml'))).status).toBe(422);
  });

  describe('are kept for a while', () => {
    const refused = async () =>
      (await server.call(path('delete'), { backends_names: ['aws'] })).body.detail?.[0]?.msg;
    const still = expect.stringContaining('still needed to end machines');
    const QUARTER = 900_000_000;

    async function changed(id: string, set: object): Promise<void> {
      await server.store.engine.updateInstance(id, ({ instance: { version } }) => ({
        changes: [{ type: 'instance.update', id, version, set }],
      }));
    }

    it('in which machines end', async () => {
      const [id = ''] = await insertInstances(server, 1);
      const { now } = server.deps.context();
      const ending = { status: 'terminating', backend: 'aws', handle: { id: 'm', data: null } };
      await changed(id, { ...ending, statusChangedAt: now });
      expect(await refused()).toEqual(still);
      await changed(id, { status: 'terminated', deleted: true });
      const [lost = ''] = await insertInstances(server, 1);
      // The account may be lost for ever: its backend can be deleted at some time.
      await changed(lost, { ...ending, statusChangedAt: now - QUARTER });
      const use = await server.store.backends.inUse(await projectId(), 'aws');
      expect(use).toEqual({ instances: 0, volumes: 0, ending: 0 });
      await changed(lost, { status: 'terminated', deleted: true });
    });

    it('in which an order without an answer may have made a machine', async () => {
      const [id = ''] = await insertInstances(server, 1);
      await changed(id, { status: 'terminating', backend: null, handle: null });
      const { now } = server.deps.context();
      const offers = [{ backend: 'gcp' }, { backend: 'aws' }] as unknown as Offer[];
      const payload = { kind: 'instance.create', maxTries: 2, totalOffers: 2, offers } as const;
      const intent: IntentRecord = {
        ...{ key: `instance.create:${id}:0`, kind: payload.kind, subjectId: id, attempt: 0 },
        ...{ state: 'announced', result: null, error: null, createdAt: now, updatedAt: now },
        payload,
      };
      await server.store.engine.apply([{ type: 'intent.insert', intent }]);
      const use = async () => (await server.store.backends.inUse(await projectId(), 'aws')).ending;
      expect(await use()).toBe(0);
      await server.store.engine.amendIntent(intent.key, { ...payload, asked: 1 });
      expect(await use()).toBe(1);
      expect(await refused()).toEqual(still);
      await server.store.engine.finishIntent(intent.key, 'failed', null, 'refused');
      expect(await use()).toBe(0);
      await changed(id, { status: 'terminated', deleted: true });
    });
  });

  it('are deleted, and unknown ones are ignored', async () => {
    const request = { backends_names: ['aws', 'lambda'] };
    expect((await server.call(path('delete'), request)).text).toBe('null');
    const missing = await server.call(path('aws/config_info'));
    expect(missing.body.detail[0].code).toBe('resource_not_exists');
  });
});
