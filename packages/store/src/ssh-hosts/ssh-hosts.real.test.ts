import { expect, it } from 'vitest';
import { rawSql } from '../testing/raw-sql.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';

forEachStore((tests) => {
  const login = { hostname: '10.0.0.1', port: 22, user: 'root', privateKey: 'key-in-clear' };
  const host = {
    ...{ instanceId: 'i1', login, proxy: null, internalIp: null },
    agentToken: 'token-in-clear',
  };

  it('keeps how hosts are reached, keys and tokens encrypted', async () => {
    const url = await tests.createDatabase();
    const { store } = await openWorld(tests, { url });
    await store.sshHosts.add([host, { ...host, instanceId: 'i2' }]);
    expect(await store.sshHosts.byId('i1')).toEqual({ ...host, hostKeys: {} });
    expect(JSON.stringify(await rawSql(url, 'select * from ssh_hosts'))).not.toContain('in-clear');
    expect(await store.sshHosts.byIds(['i1', 'i2', 'absent'])).toHaveLength(2);
    expect(await store.sshHosts.deployedIds()).toEqual([]);
    await store.sshHosts.delete(['i1']);
    expect(await store.sshHosts.byId('i1')).toBeNull();
  });

  it('pins the first key of each address', async () => {
    const { store } = await openWorld(tests);
    await store.sshHosts.add([host]);
    await store.sshHosts.pin('i1', '10.0.0.1:22', 'first');
    await store.sshHosts.pin('i1', '10.0.0.1:22', 'second');
    await store.sshHosts.pin('i1', 'jump:22', 'other');
    expect((await store.sshHosts.byId('i1'))?.hostKeys).toEqual({
      '10.0.0.1:22': 'first',
      'jump:22': 'other',
    });
  });
});
