import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newInstallation } from './installation.ts';
import { freePort } from './serving.ts';
import { until } from './until.ts';
import { launchTestBrowser, NARROW, type Visitor } from './web/browser.ts';
import { CLIENT, signInAtProvider, TestProvider } from './web/oidc-provider.ts';
import { visitorsOf } from './web/visitors.ts';

let installation: Installation;
let provider: TestProvider;
let browser: Browser;
const { visitor } = visitorsOf(
  () => browser,
  () => installation,
);

beforeAll(async () => {
  const [port, providerPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  provider = TestProvider.at(providerPort, `${url}/auth/sso/callback`, 'example.org');
  installation = newInstallation({
    DSTACK_SERVER_URL: url,
    DSTACK_OIDC_SSO_ISSUER: provider.issuer,
    DSTACK_OIDC_SSO_CLIENT_ID: CLIENT.id,
    DSTACK_OIDC_SSO_CLIENT_SECRET: CLIENT.secret,
    DSTACK_OIDC_DOMAINS: 'example.org',
  });
  await installation.startServer('--port', String(port));
  await installation.api('/api/users/create', {
    ...{ username: 'dora', global_role: 'user', email: 'dora@example.org', active: true },
  });
  const members = [{ username: 'dora', project_role: 'user' }];
  await installation.api('/api/projects/main/add_members', { members });
  browser = await launchTestBrowser();
});

afterAll(async () => {
  await browser?.close();
  await provider?.close();
  await installation?.dispose();
});

const begin = (v: Visitor) =>
  v.page.getByRole('button', { name: 'Continue with single sign-on' }).click();

/** The provider's own pages lack an icon, and ask for fonts of the Internet. */
async function stranger(path: string, options: object = {}): Promise<Visitor> {
  const v = await visitor(path, options);
  v.expectProblem(/favicon|Content Security Policy/);
  await v.context.route('https://fonts.googleapis.com/**', (route) =>
    route.fulfill({ contentType: 'text/css', body: '' }),
  );
  return v;
}

describe('signing in through a provider', () => {
  it('reports a provider that does not answer, and works as soon as it does', async () => {
    const v = await stranger('/runs');
    v.expectProblem(/400/);
    await v.page.getByRole('button', { name: 'Sign in with a token' }).waitFor();
    await begin(v);
    await v.page.getByText(/The provider does not answer this server: .*Try again/).waitFor();
    expect(await v.violations()).toEqual([]);
    await provider.open();
    const first = v.page.getByPlaceholder('Enter any login');
    // Until the server asks the provider again, it reports the same.
    await until(async () => {
      await begin(v);
      await v.page
        .getByText(/did not answer a moment ago/)
        .or(first)
        .first()
        .waitFor();
      return await first.isVisible();
    });
    await signInAtProvider(v.page, 'cleo');
    await v.page.getByRole('button', { name: 'Signed in as cleo' }).waitFor();
  });

  it('returns to the page that was asked for, as a new user, and ends with signing out', async () => {
    const v = await stranger('/runs?type=task');
    await v.page.getByRole('button', { name: 'Sign in with a token' }).waitFor();
    for (const theme of ['light', 'dark'] as const) {
      await v.page.emulateMedia({ colorScheme: theme });
      expect(await v.violations()).toEqual([]);
    }
    const redirects: string[] = [];
    v.page.on('request', (request) => {
      if (request.url().includes('/auth/sso/callback?')) redirects.push(request.url());
    });
    await begin(v);
    await signInAtProvider(v.page, 'ann.lee');
    await v.page.getByRole('button', { name: 'Signed in as ann-lee' }).waitFor();
    expect(new URL(v.page.url()).pathname + new URL(v.page.url()).search).toBe('/runs?type=task');
    expect(await v.page.evaluate('JSON.stringify([localStorage, sessionStorage])')).not.toContain(
      'token',
    );
    await v.page.reload();
    await v.page.getByRole('button', { name: 'Signed in as ann-lee' }).click();
    await v.page.getByRole('menuitem', { name: 'Sign out', exact: true }).click();
    await v.page.getByText('You have signed out.').waitFor();

    v.expectProblem(/400/);
    await v.page.goto(String(redirects[0]));
    await v.page.getByText('This sign-in has been used before.').waitFor();
    expect(await v.violations()).toEqual([]);
  });

  it('reports a refusal of the user, another nonce, and a deactivated user', async () => {
    const v = await stranger('/', { viewport: NARROW });
    v.expectProblem(/40[03]/);
    await begin(v);
    await v.page.getByRole('link', { name: 'Cancel' }).click();
    await v.page.getByText(/You were not let in by single sign-on, or declined/).waitFor();
    expect(await v.violations()).toEqual([]);

    // The browser is led to the provider with another nonce than the server's.
    await v.page.route(`${provider.issuer}/auth?*`, async (route) => {
      const url = new URL(route.request().url());
      url.searchParams.set('nonce', 'another');
      await route.fulfill({ status: 302, headers: { location: url.href } });
      await v.page.unrouteAll();
    });
    await begin(v);
    await signInAtProvider(v.page, 'bob');
    await v.page.getByText(/The provider did not confirm the sign-in/).waitFor();

    await installation.api('/api/users/create', {
      ...{ username: 'gone', global_role: 'user', email: 'bob@example.org', active: false },
    });
    await begin(v);
    await v.page.getByText(/The user 'gone' \(bob@example.org\) is deactivated/).waitFor();
  });

  it('asks before a program without a challenge gets the code, and hands over nothing if it is refused', async () => {
    const program = createServer();
    const arrived: URL[] = [];
    program.on('request', (request, response) => {
      const url = new URL(String(request.url), 'http://localhost');
      if (url.pathname === '/auth/callback') arrived.push(url);
      response.end('<!doctype html><title>program</title><p>Arrived</p>');
    });
    program.listen(0, '127.0.0.1');
    await once(program, 'listening');
    const { port } = program.address() as AddressInfo;
    const call = async <T>(path: string, body: object): Promise<T> => {
      const headers = { 'content-type': 'application/json' };
      const url = `${installation.url}/api/auth/sso/${path}`;
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
      return (await answer.json()) as T;
    };
    const begun = async () =>
      (await call<{ authorization_url: string }>('authorize', { local_port: port, base_url: null }))
        .authorization_url;
    const v = await stranger('/');
    await v.page.goto(await begun());
    await signInAtProvider(v.page, 'dora');
    const question = v.page.getByText(
      `A program on port ${port} of this computer wants to sign in`,
    );
    await question.waitFor();
    expect(await v.violations()).toEqual([]);
    await v.page.getByRole('button', { name: 'Refuse' }).click();
    await v.page.getByText('Nothing was handed over').waitFor();
    expect(arrived).toEqual([]);

    await v.page.goto(await begun());
    await question.waitFor();
    await v.page.getByRole('button', { name: 'Continue' }).click();
    await v.page.getByText('Arrived').waitFor();
    const [code, state] = ['code', 'state'].map((name) => arrived[0]?.searchParams.get(name));
    const body = { code, state, base_url: null };
    expect(await call<object>('callback', body)).toMatchObject({ username: 'dora' });
    program.closeAllConnections();
    program.close();
  });

  it('configures the command line', async () => {
    const v = await stranger('/');
    // The command ends before the browser asks it for an icon.
    v.expectProblem(/ERR_CONNECTION_REFUSED|ERR_SOCKS/);
    const opened = Promise.withResolvers<string>();
    const home = join(installation.home, 'dora');
    const login = installation.spawn(['login', '--url', installation.url, '-y'], {
      env: { HOME: home, PATH: '/usr/bin:/bin' },
    });
    let printed = '';
    login.stderr?.on('data', (text) => {
      printed += text;
      const link = /http:\S+\/auth\?\S+(?=\s)/.exec(printed)?.[0];
      if (link) opened.resolve(link);
    });
    const ended = new Promise((resolve) => login.on('exit', resolve));
    await v.page.goto(await opened.promise);
    await signInAtProvider(v.page, 'dora');
    await v.page.getByText('You are logged in').waitFor();
    expect(await ended).toBe(0);
    const config = readFileSync(join(home, '.dstack', 'config.yml'), 'utf8');
    const token = String(/token: (\S+)/.exec(config)?.[1]);
    const me = await installation.api<{ username: string }>('/api/users/get_my_user', null, token);
    expect(me.username).toBe('dora');
  });
});
