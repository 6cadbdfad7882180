import { expect, it } from 'vitest';
import { rawSql } from '../testing/raw-sql.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';

forEachStore((tests) => {
  const login = { hostname: '10.0.0.1', port: 22, user: 'root', privateKey: 'key-in-clear' };
  const host = {
    instanceId: 'i1',
    access: { kind: 'ssh', login, proxy: null, internalIp: null },
    agentToken: 'token-in-clear',
  } as const;

  it('keeps how hosts are reached, keys and tokens encrypted', async () => {
    const url = await tests.createDatabase();
    const { store } = await openWorld(tests, { url });
    await store.hostAccess.add([host, { ...host, instanceId: 'i2' }]);
    expect(await store.hostAccess.byId('i1')).toEqual({ ...host, hostKeys: {} });
    expect(JSON.stringify(await rawSql(url, 'select * from host_access'))).not.toContain(
      'in-clear',
    );
    expect(await store.hostAccess.byIds(['i1', 'i2', 'absent'])).toHaveLength(2);
    expect(await store.hostAccess.linkableIds()).toEqual([]);
    await store.hostAccess.delete(['i1']);
    expect(await store.hostAccess.byId('i1')).toBeNull();
  });

  it('keeps the key that a machine was given as that of its address', async () => {
    const { store } = await openWorld(tests);
    const access = { ...host.access, vm: { hostKey: 'given' } };
    await store.hostAccess.add([{ ...host, access }]);
    await store.hostAccess.pin('i1', '10.0.0.1:22', 'another');
    expect(await store.hostAccess.byId('i1')).toMatchObject({
      access,
      hostKeys: { '10.0.0.1:22': 'given' },
    });
  });

  it('pins the first key of each address', async () => {
    const { store } = await openWorld(tests);
    await store.hostAccess.add([host]);
    await store.hostAccess.pin('i1', '10.0.0.1:22', 'first');
    await store.hostAccess.pin('i1', '10.0.0.1:22', 'second');
    await store.hostAccess.pin('i1', 'jump:22', 'other');
    expect((await store.hostAccess.byId('i1'))?.hostKeys).toEqual({
      '10.0.0.1:22': 'first',
      'jump:22': 'other',
    });
  });
});
