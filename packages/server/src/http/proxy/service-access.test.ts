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

describe('a token for single services', () => {
  it('is admitted to these and to nothing else', async () => {
    await proxy.service('second', {});
    const { body } = await proxy.server.call('/api/project/main/service_tokens/create', {
      ...{ name: 'partner', scope: 'services', services: ['web', 'later'] },
    });
    expect(body).toMatchObject({ scope: 'services', services: ['web', 'later'] });
    const headers = { authorization: `Bearer ${body.token}` };
    expect((await proxy.get('web/x', { headers })).status).toBe(200);
    expect((await proxy.get('web/x', { headers, method: 'POST', body: 'x' })).status).toBe(200);
    const refused = await proxy.get('second/x', { headers });
    expect([refused.status, await refused.json()]).toEqual([
      403,
      {
        detail: 'This token may not be used for the service second, only for: web, later',
        code: 'service_not_allowed',
      },
    ]);
    // Whether another service exists is none of its business.
    expect((await proxy.get('nosuch/x', { headers })).status).toBe(404);
    const models = await fetch(`${proxy.url}/proxy/models/main/models`, { headers });
    expect(models.status).toBe(403);
    for (const path of ['/api/project/main/runs/get', '/api/runs/list', '/api/projects/main/get']) {
      const answer = await proxy.server.call(path, { run_name: 'web' }, { token: body.token });
      expect([path, answer.status]).toEqual([path, 403]);
      expect(answer.body.detail.msg).toContain('may only send requests to services');
    }
    await proxy.server.call('/api/project/main/service_tokens/delete', { names: ['partner'] });
    expect((await proxy.get('web/x', { headers })).status).toBe(403);
  });

  it('names its services, and no other scope does', async () => {
    const create = async (more: object) => {
      const body = { name: 'x', ...more };
      const answer = await proxy.server.call('/api/project/main/service_tokens/create', body);
      return [answer.status, answer.body.detail?.[0]?.msg ?? answer.body];
    };
    expect(await create({ scope: 'services' })).toEqual([
      400,
      'the scope `services` needs `services`, the names of their runs',
    ]);
    expect(await create({ scope: 'user', services: ['web'] })).toEqual([
      400,
      '`services` needs the scope `services`',
    ]);
    expect((await create({ scope: 'services', services: ['../web'] }))[0]).toBe(400);
    expect((await create({ scope: 'services', services: [] }))[0]).toBe(422);
    const limited = { scope: 'services', services: ['web'], tokens_per_day: 5 };
    expect((await create(limited))[0]).toBe(400);
  });
});
