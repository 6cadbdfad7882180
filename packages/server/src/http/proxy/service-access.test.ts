import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProxiedServices } from '../testing/proxied-services.ts';

let proxy: ProxiedServices;
beforeAll(async () => {
  proxy = await ProxiedServices.start();
});
afterAll(() => proxy.close());

describe('callers of a service', () => {
  const refusal = { detail: 'Unauthenticated or unauthorized to access project main' };

  it('must be members of its project', async () => {
    for (const authorization of ['', 'Bearer unknown', 'Basic YTpi']) {
      const answer = await proxy.get('web/x', { headers: { authorization } });
      expect([answer.status, await answer.json()]).toEqual([403, refusal]);
    }
    await proxy.server.call('/api/users/create', { username: 'alice', global_role: 'user' });
    const { body } = await proxy.server.call('/api/users/get_user', { username: 'alice' });
    const headers = { authorization: `bearer ${body.creds.token}` };
    expect((await proxy.get('web/x', { headers })).status).toBe(403);
    const members = [{ username: 'alice', project_role: 'user' }];
    await proxy.server.call('/api/projects/main/add_members', { members });
    expect((await proxy.get('web/x', { headers })).status).toBe(200);
    await proxy.server.call('/api/projects/main/remove_members', { usernames: ['alice'] });
    proxy.server.advance(10);
    expect((await proxy.get('web/x', { headers })).status).toBe(403);
  });

  it('may be any caller if it requires no authentication', async () => {
    await proxy.service('open', { auth: false });
    expect(
      (await proxy.get('open/x', { headers: { authorization: 'Bearer app-token' } })).status,
    ).toBe(200);
  });
});

describe('a service behind a router', () => {
  it('only exposes the paths that a router serves', async () => {
    const group = { replicas: 1, commands: ['serve ${{ groups[1].replicas[0].IP_ADDRESS }}'] };
    const groups = [
      { ...group, name: 'router', router: { type: 'smg' } },
      { ...group, name: 'worker' },
    ];
    const more = { groups, commands: undefined, replicas: undefined };
    await proxy.service('routed', more, [proxy.apps[0]?.port ?? 0, null]);
    const status = async (path: string) => (await proxy.get(`routed${path}`)).status;
    expect(
      await Promise.all(['/v1/models', '/generate?a', '/chat/completions'].map(status)),
    ).toEqual([200, 200, 200]);
    expect(await Promise.all(['/', '/v1', '/generate/x', '/workers'].map(status))).toEqual([
      403, 403, 403, 403,
    ]);
    const raw = async (path: string) =>
      (await proxy.raw(`/proxy/services/main/routed${path}`)).response.statusCode;
    const up = ['/v1/../workers', '/v1/%2E%2e/workers', '/v1/x/..', '/v1/./x?a'];
    expect(await Promise.all(up.map(raw))).toEqual([403, 403, 403, 403]);
    expect(await Promise.all(['/v1/a..b', '/v1/x?a=/../b'].map(raw))).toEqual([200, 200]);
  });
});
