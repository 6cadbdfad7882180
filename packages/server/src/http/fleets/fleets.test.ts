import { type EndpointName, endpoints } from '@dstack/contract/api';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { OutOfFiles } from '../../process/open-files.ts';
import { LOCAL_OFFER } from '../testing/offers.ts';
import { startTestServer, type TestAnswer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  server.offers.push(LOCAL_OFFER);
});
afterAll(() => server.close());

const path = (call: string) => `/api/project/main/fleets/${call}`;
const fleet = (name: string | null, more: object = {}) => ({
  configuration: { type: 'fleet', name, nodes: '0..2', ...more },
  configuration_path: 'fleet.dstack.yml',
  profile: { name: 'default' },
});

const KEY = { public: 'ssh-ed25519 AAAA', private: '-----BEGIN OPENSSH PRIVATE KEY-----secret' };

const plan = (spec: object): Promise<TestAnswer> => server.call(path('get_plan'), { spec });
const apply = (spec: object, current_resource: unknown = null, force = false) =>
  server.call(path('apply'), { plan: { spec, current_resource }, force });

function expectWire(name: EndpointName, body: unknown): void {
  expect(endpoints[name].response?.parse(body)).toEqual(body);
}

describe('fleets', () => {
  it('name the field that would add a line to an SSH configuration', async () => {
    const evil = 'root\n  ProxyCommand touch x';
    const ssh_config = { user: evil, hosts: [{ hostname: evil, user: 'root' }], ssh_key: KEY };
    const answer = await apply(fleet('hosts', { nodes: null, ssh_config }));
    expect(answer.status).toBe(422);
    const where = answer.body.detail.map(({ loc }: { loc: unknown[] }) => loc.join('.'));
    expect(where.join()).toMatch(/ssh_config\.user.*ssh_config\.hosts\.0/);
  });

  it('are planned with offers, and created without instances if none are requested', async () => {
    const planned = await plan(fleet('pool'));
    expectWire('fleets.get_plan', planned.body);
    expect(planned.body).toMatchObject({
      action: 'create',
      current_resource: null,
      total_offers: 1,
      max_offer_price: 0,
      offers: [{ backend: 'remote', region: 'local' }],
      spec: { configuration: { nodes: { min: 0, max: 2 } } },
    });
    const created = await apply(planned.body.spec);
    expectWire('fleets.apply', created.body);
    expect(created.body).toMatchObject({ name: 'pool', status: 'active', instances: [] });
  });

  it('show their initial instances', async () => {
    const created = await apply(fleet('ready', { nodes: 2 }));
    expectWire('fleets.apply', created.body);
    expect(created.body.instances).toMatchObject([
      { name: 'ready-0', instance_num: 0, status: 'pending', backend: null, price: null },
      { name: 'ready-1', instance_num: 1, status: 'pending' },
    ]);
    const events = await server.call('/api/events/list', {
      within_fleets: [created.body.id],
      ascending: true,
    });
    expect(events.body.map((event: { message: string }) => event.message)).toEqual([
      'Fleet created. Status: ACTIVE',
      'Instance created on fleet submission. Status: PENDING',
      'Instance created on fleet submission. Status: PENDING',
    ]);
  });

  it('without a name get one', async () => {
    expect((await apply(fleet(null))).body.name).toMatch(/^[a-z]+-[a-z]+$/);
  });

  it('are changed in place only by a caller who has read their present state', async () => {
    await apply(fleet('wide'));
    const wider = fleet('wide', { nodes: '0..5' });
    expect((await apply(wider)).body.detail[0].msg).toMatch(/has been changed/);
    const planned = await plan(wider);
    expect(planned.body.action).toBe('update');
    const updated = await apply(wider, planned.body.current_resource);
    expect(updated.body.spec.configuration.nodes).toEqual({ min: 0, max: 5 });
    expect((await apply(fleet('wide', { nodes: '0..6' }), null, true)).status).toBe(200);
    const other = fleet('wide', { nodes: '0..6', placement: 'cluster' });
    expect((await plan(other)).body.action).toBe('create');
    expect((await apply(other, null, true)).body.detail[0].msg).toBe(
      'Fleet wide cannot be updated. Cannot be changed in place: configuration.placement. Delete it and apply again.',
    );
  });

  it('have another idle duration in place, which holds for their machines at once', async () => {
    await apply(fleet('idle', { nodes: 2, idle_duration: '30m' }));
    const longer = fleet('idle', { nodes: 2, idle_duration: '3h' });
    const planned = await plan(longer);
    expect(planned.body.action).toBe('update');
    const { body, status } = await apply(longer, planned.body.current_resource);
    expect([status, body]).toMatchObject([200, { instances: [{}, {}] }]);
    const seconds = async () => {
      const ids = body.instances.map(({ id }: { id: string }) => id);
      const views = await Promise.all(ids.map((id: string) => server.store.instances.byId(id)));
      return views.map((view) => view?.instance.idleSeconds);
    };
    expect(await seconds()).toEqual([10_800, 10_800]);
    await apply(fleet('idle', { nodes: 2, idle_duration: 'off' }), null, true);
    expect(await seconds()).toEqual([null, null]);
    await apply(fleet('idle', { nodes: 2, idle_duration: '0s' }), null, true);
    await apply(fleet('idle', { nodes: 2, idle_duration: '1h' }), null, true);
    expect(await seconds()).toEqual([3600, 3600]);
  });

  it('are found by name and by id, and deleted ones are missing', async () => {
    const byName = await server.call(path('get'), { name: 'pool' });
    expectWire('fleets.get', byName.body);
    const byId = await server.call(path('get'), { id: byName.body.id });
    expect(byId.body).toEqual(byName.body);
    const missing = await server.call(path('get'), { name: 'nosuch' });
    expect(missing.body.detail[0].code).toBe('resource_not_exists');
    const neither = await server.call(path('get'), {});
    expect(neither.body.detail[0].msg).toBe('name or id must be specified');
  });

  it('are terminating once deleted, and unknown names are ignored', async () => {
    await apply(fleet('gone'));
    expect((await server.call(path('delete'), { names: ['gone', 'nosuch'] })).text).toBe('null');
    const deleted = await server.call(path('get'), { name: 'gone' });
    expect(deleted.body.status).toBe('terminating');
    const again = await apply(fleet('gone'), null, true);
    expect(again.body.detail[0].msg).toMatch(/is being deleted/);
  });

  it('delete single instances', async () => {
    const created = await apply(fleet('single', { nodes: 2 }));
    const request = { name: 'single', instance_nums: [1] };
    expect((await server.call(path('delete_instances'), request)).text).toBe('null');
    const after = await server.call(path('get'), { id: created.body.id });
    expect(after.body.instances).toMatchObject([
      { instance_num: 0, status: 'pending' },
      { instance_num: 1, status: 'terminating', termination_reason: 'terminated_by_user' },
    ]);
  });

  it('are listed per project and over all, instances too', async () => {
    const own = await server.call(path('list'));
    expectWire('fleets.list', own.body);
    const all = await server.call('/api/fleets/list', { only_active: true, ascending: true });
    expect(all.body).toHaveLength(own.body.length);
    const instances = await server.call('/api/instances/list', { project_names: ['main'] });
    expectWire('instances.list', instances.body);
    const id = instances.body[0].id;
    const one = await server.call('/api/project/main/instances/get', { id });
    expect(one.body).toEqual(instances.body[0]);
  });

  it('never return SSH keys, except in the plan to the user who sent them', async () => {
    const ssh_config = { user: 'root', ssh_key: KEY, hosts: ['10.0.0.1'] };
    const planned = await plan(fleet('hosts', { nodes: null, ssh_config }));
    expectWire('fleets.get_plan', planned.body);
    expect(planned.body.spec.configuration.ssh_config.ssh_key).toEqual(KEY);
    expect(planned.body.effective_spec.configuration.ssh_config.ssh_key).toBeNull();
  });

  it('get no further host while the server is almost out of open files, and may still shrink', async () => {
    let isFull = false;
    const admitWork = () => {
      if (isFull) throw new OutOfFiles('The server has 90 of at most 100 files open');
    };
    const other = await startTestServer({}, { files: { admitWork, open: 90, limit: 100 } });
    const applied = (spec: object) =>
      other.call(path('apply'), { plan: { spec, current_resource: null }, force: true });
    const ssh = (...hosts: readonly string[]) =>
      fleet('lab', { nodes: null, ssh_config: { user: 'root', ssh_key: KEY, hosts } });
    await applied(fleet('pool', { nodes: 2 }));
    await applied(ssh('10.0.0.1', '10.0.0.2'));
    isFull = true;
    for (const spec of [
      fleet('more', { nodes: 1 }),
      fleet('pool', { nodes: 3 }),
      fleet('pool', { nodes: { min: 0, target: 3, max: 4 } }),
      ssh('10.0.0.1', '10.0.0.3'),
    ]) {
      const { status, body } = await applied(spec);
      expect([status, body.detail]).toEqual([503, expect.stringContaining('90 of at most 100')]);
    }
    for (const spec of [fleet('empty'), fleet('pool', { nodes: '1..4' }), ssh('10.0.0.1')]) {
      expect((await applied(spec)).status).toBe(200);
    }
    await other.close();
  });

  it("of SSH hosts have the agent's files prepared while the user reads the plan", async () => {
    const expectHosts = vi.fn();
    const other = await startTestServer({}, { expectHosts });
    const planned = (more: object) =>
      other.call(path('get_plan'), { spec: fleet('pool', { nodes: null, ...more }) });
    await planned({ nodes: '0..2' });
    expect(expectHosts).not.toHaveBeenCalled();
    await planned({ ssh_config: { user: 'root', ssh_key: KEY, hosts: ['10.0.0.1'] } });
    expect(expectHosts).toHaveBeenCalledOnce();
    await other.close();
  });

  describe('SSH fleets', () => {
    const own = (name: string, hosts: unknown[], more: object = {}) =>
      fleet(name, { nodes: null, ssh_config: { user: 'root', ssh_key: KEY, hosts, ...more } });

    it('have an instance for each host from the start, and store no key as plain text', async () => {
      const created = await apply(own('mine', ['10.1.0.1', { hostname: '10.1.0.2', blocks: 2 }]));
      expectWire('fleets.apply', created.body);
      expect(created.body.instances).toMatchObject([
        { name: 'mine-0', status: 'pending', backend: 'remote', region: 'remote', price: 0 },
        { name: 'mine-1', status: 'pending', total_blocks: 2 },
      ]);
      const stored = await server.store.fleets.byId(created.body.id);
      expect(JSON.stringify(stored)).not.toContain('secret');
      const login = await server.store.hostAccess.byId(created.body.instances[0].id);
      expect(login).toMatchObject({
        access: {
          kind: 'ssh',
          login: { hostname: '10.1.0.1', port: 22, privateKey: KEY.private },
        },
      });
    });

    it('name each host by its address before it has been reached', async () => {
      const hostnameOf = ({ hostname }: { readonly hostname: string | null }) => hostname;
      const hosts = ['10.9.0.1', { hostname: 'gpu-2.lab', port: 2202 }];
      const { body } = await apply(own('named', hosts));
      expect(body.instances.map(hostnameOf)).toEqual(['10.9.0.1', 'gpu-2.lab']);
      const planned = await plan(own('named', ['10.9.0.3', ...hosts]));
      expect(planned.body.action).toBe('update');
      const grown = await apply(own('named', ['10.9.0.3', ...hosts]), body);
      expect(grown.body.instances.map(hostnameOf)).toEqual(['10.9.0.1', 'gpu-2.lab', '10.9.0.3']);
    });

    it('add and remove hosts in place', async () => {
      const { body } = await apply(own('changing', ['10.2.0.1', '10.2.0.2']));
      const planned = await plan(own('changing', ['10.2.0.2', '10.2.0.3']));
      expect(planned.body.action).toBe('update');
      const updated = await apply(own('changing', ['10.2.0.2', '10.2.0.3']), body);
      expect(updated.body.instances).toMatchObject([
        { name: 'changing-0', status: 'terminating', termination_reason: 'terminated_by_user' },
        { name: 'changing-1', status: 'pending' },
        { name: 'changing-2', status: 'pending' },
      ]);
    });

    it('have the prices that their owner sets, also when a client without our keys updates them', async () => {
      const update = async (hosts: unknown[], agent: string, current: unknown) => {
        const headers = { 'user-agent': agent };
        const spec = own('priced', hosts);
        const planned = await server.call(path('get_plan'), { spec }, { headers });
        const request = { plan: { spec, current_resource: current }, force: false };
        const applied = await server.call(path('apply'), request, { headers });
        expect([planned.status, applied.status]).toEqual([200, 200]);
        return {
          action: planned.body.action,
          body: applied.body,
          prices: applied.body.instances.map((one: { price: number }) => one.price),
        };
      };
      const priced = (price: number) => ['10.5.0.1', { hostname: '10.5.0.2', price }];
      const created = await update(priced(2), 'dstack-cli', null);
      expect(created.prices).toEqual([0, 2]);
      const raised = await update(priced(3), 'dstack-cli', created.body);
      expect([raised.action, raised.prices]).toEqual(['update', [0, 3]]);
      const plain = ['10.5.0.1', '10.5.0.2', '10.5.0.3'];
      const theirs = JSON.parse(
        JSON.stringify(raised.body, (key, value) => (key === 'price' ? undefined : value)),
      );
      const kept = await update(plain, 'python-requests/2.32', theirs);
      expect([kept.action, kept.prices]).toEqual(['update', [0, 3, 0]]);
      const removed = await update(plain, 'dstack-cli', kept.body);
      expect(removed.prices).toEqual([0, 0, 0]);
    });

    it('cannot share a host', async () => {
      await apply(own('holder', ['10.3.0.1']));
      const second = await apply(own('second', ['10.3.0.1']));
      expect(second.body.detail[0].msg).toMatch(/belongs to another fleet already: .*holder/);
    });

    it('require the key of a jump host', async () => {
      const proxy_jump = { hostname: 'jump', user: 'root', identity_file: '~/.ssh/id' };
      const answer = await apply(own('jumping', ['10.4.0.1'], { proxy_jump }));
      expect(answer.body.detail[0].msg).toMatch(/jump host jump has no key/);
    });
  });
});
