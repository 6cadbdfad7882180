import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOMAIN, HostedApps } from '../testing/hosted-apps.ts';

let apps: HostedApps;
let host: string;
beforeAll(async () => {
  apps = await HostedApps.start();
  host = apps.host('app');
});
afterAll(() => apps.close());

describe('the host name of a service', () => {
  it('reaches the service, with its path unchanged and its own origin', async () => {
    const { status, body, headers } = await apps.send(host, '/a%2Fb/?q=%20', apps.bearer());
    expect(status).toBe(200);
    expect(body).toMatch(/^(one|two) \/a%2Fb\/\?q=%20$/);
    expect(headers['content-security-policy']).toBeUndefined();
    const seen = await apps.seen(host, apps.bearer());
    expect(seen).toMatchObject({ 'x-dstack-user': 'admin', 'x-forwarded-host': host });
    expect(seen.authorization).toBeUndefined();
    expect(seen['x-forwarded-prefix']).toBeUndefined();
  });

  it('is the address that runs have', async () => {
    const { body } = await apps.proxy.server.call('/api/project/main/runs/get', {
      run_name: 'app',
    });
    expect(body.service.url).toBe(`http://${host}/`);
  });

  it('never leads to the API, whatever the path', async () => {
    for (const path of [
      '/api/users/get_my_user',
      '/metrics',
      '/healthcheck',
      '/proxy/services/main/other/',
      '//dstack.test/api/users/get_my_user',
      '/api/project/main/runs/app/exec',
    ]) {
      const { status, body } = await apps.send(host, path, apps.bearer(), 'POST');
      expect([path, status]).toEqual([path, 200]);
      expect(body).toMatch(/^(one|two) \//);
    }
    const unknown = await apps.send(
      `no-such-0a1b2c3d.${DOMAIN}`,
      '/api/users/get_my_user',
      apps.bearer(),
    );
    expect(unknown.status).toBe(404);
    expect(JSON.parse(unknown.body).detail).toContain(
      'No service has the host name no-such-0a1b2c3d',
    );
  });

  it('counts where it is in the URL, whatever the header contains', async () => {
    const { body } = await apps.send('dstack.test', `http://${host}/a`, apps.bearer());
    expect(body).toMatch(/^(one|two) \/a$/);
    const own = 'http://dstack.test/api/users/get_my_user';
    const { body: user } = await apps.send(host, own, apps.bearer(), 'POST');
    expect(JSON.parse(user)).toMatchObject({ username: 'admin' });
    const seen = await apps.seen('x.test', apps.bearer(), `http://${host}/echo`);
    expect(seen).toMatchObject({ host, 'x-forwarded-host': host });
  });

  it("refuses below /v1 in the form of OpenAI's API", async () => {
    const { status, body } = await apps.send(host, '/v1/models');
    const { detail } = JSON.parse(body);
    expect([status, JSON.parse(body).error]).toEqual([
      403,
      { message: detail, type: 'permission_error', param: null, code: null },
    ]);
    expect(JSON.parse((await apps.send(host, '/v2/models')).body).error).toBeUndefined();
  });

  it('cannot be reached by a path of the API', async () => {
    const [label] = host.split('.');
    for (const path of [`/proxy/hosts/${label}/`, '/proxy/hosts/-']) {
      expect((await apps.send('dstack.test', path, apps.bearer())).status).toBe(404);
    }
  });

  it.each([
    ['in upper case', () => host.toUpperCase(), 200],
    ['with a port', () => `${host}:8080`, 200],
    ['with a dot at the end', () => `${host}.`, 200],
    ['with another part of an id', () => host.replace(/-[0-9a-f]{8}\./, '-00000000.'), 404],
    ['with another name', () => `x${host}`, 404],
    ['with a further label', () => `a.${host}`, 404],
    ['of a domain that ends alike', () => host.replace('.apps', '.myapps'), 404],
  ])('is recognised %s', async (_how, name, status) => {
    expect((await apps.send(name(), '/echo', apps.bearer())).status).toBe(status);
  });

  it('does not lead to another run that has got the name', async () => {
    const target = { project: 'main', run: 'app', prefix: '', rest: '/' };
    const origin = { runId: '00000000-0000-4000-8000-000000000000', session: null };
    const admitted = apps.proxy.server.services.admit(
      { ...target, origin },
      {} as never,
      {} as never,
    );
    await expect(admitted).rejects.toMatchObject({ status: 404 });
  });

  it('joins WebSockets of members, and never sockets of the API', async () => {
    const path = '/api/project/main/runs/app/exec';
    const [message] = await once(apps.socket(host, path, apps.bearer()), 'message');
    expect(String(message)).toMatch(/^(one|two) \/api\/project\/main\/runs\/app\/exec$/);
    const [error] = await once(apps.socket(host, path, {}), 'error');
    expect(error.message).toContain('403');
    const [own] = await once(apps.socket(host, '/.dstack/sign-in', apps.bearer()), 'error');
    expect(own.message).toContain('404');
  });

  it('limits cookies of the app to itself, and has no names of this server', async () => {
    const { headers } = await apps.send(host, '/own-policy', apps.bearer());
    expect(headers['set-cookie']).toEqual(['c=3; Path=/']);
    // It would also remove cookies of other services.
    expect(headers['clear-site-data']).toBeUndefined();
    expect(headers['content-security-policy']).toBe('sandbox allow-scripts allow-same-origin');
  });

  it('passes credentials of the app on where no token is needed, and never tokens of this server', async () => {
    const seen = (headers: Record<string, string>) => apps.seen(apps.host('open'), headers);
    const own = await seen({ authorization: 'Bearer of-the-app', 'x-dstack-user': 'admin' });
    expect(own.authorization).toBe('Bearer of-the-app');
    expect(own['x-dstack-user']).toBeUndefined();
    expect((await seen(apps.bearer())).authorization).toBeUndefined();
  });
});
