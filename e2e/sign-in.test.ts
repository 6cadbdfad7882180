import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { newInstallation } from './installation.ts';
import { OfficialClient, officialClient } from './official-client/official-client.ts';
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
    DSTACK_SERVER_TRUSTED_PROXIES: 'loopback',
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

type Headers = Record<string, string>;

async function call<T>(path: string, body: object, headers: Headers = {}): Promise<T> {
  const answer = await fetch(`${installation.url}/api/auth/sso/${path}`, {
    ...{ method: 'POST', body: JSON.stringify(body) },
    headers: { 'content-type': 'application/json', ...headers },
  });
  return (await answer.json()) as T;
}

/** Where a program sends the browser that begins. */
async function authorizationUrl(port: number, more = {}, headers: Headers = {}): Promise<string> {
  const body = { local_port: port, base_url: null, ...more };
  return (await call<{ authorization_url: string }>('authorize', body, headers)).authorization_url;
}

/** A program that waits for the browser, as command lines do. */
async function listeningProgram() {
  const program = createServer();
  const arrived: URL[] = [];
  program.on('request', (request, response) => {
    const url = new URL(String(request.url), 'http://localhost');
    if (url.pathname === '/auth/callback') arrived.push(url);
    response.end('<!doctype html><title>program</title><p>Arrived</p>');
  });
  program.listen(0, '127.0.0.1');
  await once(program, 'listening');
  const close = () => {
    program.closeAllConnections();
  };
  onTestFinished(close);
  return { port: (program.address() as AddressInfo).port, arrived };
}

/** The answer to what a program has received. */
async function redeemed(arrived: readonly URL[], more: object = {}): Promise<object> {
  const [code, state] = ['code', 'state'].map((name) => arrived[0]?.searchParams.get(name));
  return await call<object>('callback', { code, state, base_url: null, ...more });
}

/** Logs in on the command line, as a person at the provider. */
async function loggedIn(home: string, login = 'dora', status = 200) {
  const v = await stranger('/');
  // The command ends before the browser asks it for an icon.
  v.expectProblem(/ERR_CONNECTION_REFUSED|ERR_SOCKS|400/);
  const opened = Promise.withResolvers<string>();
  const command = installation.spawn(['login', '--url', installation.url, '-y'], {
    env: { HOME: home, PATH: '/usr/bin:/bin' },
  });
  let stderr = '';
  command.stderr?.on('data', (text) => {
    stderr += text;
    const link = /http:\S+\/auth\?\S+(?=\s)/.exec(stderr)?.[0];
    if (link) opened.resolve(link);
  });
  const ended = once(command, 'exit');
  await v.page.goto(await opened.promise);
  await signInAtProvider(v.page, login);
  const text = status === 200 ? 'You are logged in' : 'CLI authentication failed';
  await v.page.getByText(text).waitFor();
  const [code] = await ended;
  return { code, stderr };
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

  it('asks before a program without a challenge becomes the user, and hands over nothing if it is refused', async () => {
    const program = await listeningProgram();
    const v = await stranger('/');
    await v.page.goto(await authorizationUrl(program.port));
    await signInAtProvider(v.page, 'dora');
    const question = v.page.getByText(
      `A program on port ${program.port} of this computer wants to sign in as dora`,
    );
    await question.waitFor();
    expect(await v.violations()).toEqual([]);
    await v.page.getByRole('button', { name: 'Refuse' }).click();
    await v.page.getByText('Nothing was handed over').waitFor();
    expect(program.arrived).toEqual([]);

    await v.page.goto(await authorizationUrl(program.port));
    await question.waitFor();
    await v.page.getByRole('button', { name: 'Continue' }).click();
    await v.page.getByText('Arrived').waitFor();
    expect(await redeemed(program.arrived)).toMatchObject({ username: 'dora' });
  });

  it('asks for a program with a challenge that has begun at another address', async () => {
    const program = await listeningProgram();
    const verifier = 'v'.repeat(43);
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const elsewhere = { 'x-forwarded-for': '203.0.113.9' };
    const v = await stranger('/');
    await v.page.goto(await authorizationUrl(program.port, { challenge }, elsewhere));
    await signInAtProvider(v.page, 'dora');
    await v.page.getByText('wants to sign in as dora').waitFor();
    expect(program.arrived).toEqual([]);
    await v.page.getByRole('button', { name: 'Continue' }).click();
    await v.page.getByText('Arrived').waitFor();
    expect(await redeemed(program.arrived, { verifier: 'w'.repeat(43) })).toMatchObject({
      detail: [{ msg: expect.stringContaining('Another program has begun') }],
    });
    expect(await redeemed(program.arrived, { verifier })).toMatchObject({ username: 'dora' });
  });

  it('configures the command line', async () => {
    const home = join(installation.home, 'dora');
    expect(await loggedIn(home)).toMatchObject({ code: 0 });
    const config = readFileSync(join(home, '.dstack', 'config.yml'), 'utf8');
    const token = String(/token: (\S+)/.exec(config)?.[1]);
    const me = await installation.api<{ username: string }>('/api/users/get_my_user', null, token);
    expect(me.username).toBe('dora');
  });

  it('refuses a program without a challenge if the server requires one; our command line sends one', async () => {
    const { env } = installation;
    await installation.stopServer();
    env.DSTACK_OIDC_REQUIRE_CHALLENGE = '1';
    await installation.startServer();
    onTestFinished(async () => {
      delete env.DSTACK_OIDC_REQUIRE_CHALLENGE;
      await installation.stopServer();
      await installation.startServer();
    });
    const refused = await call<object>('authorize', { local_port: 4321, base_url: null });
    expect(JSON.stringify(refused)).toContain('DSTACK_OIDC_REQUIRE_CHALLENGE');
    const home = join(installation.home, 'proven');
    const login = await loggedIn(home);
    expect(login).toMatchObject({ code: 0 });
  });

  it('ends the command line with the reason for which a person is refused', async () => {
    const login = await loggedIn(join(installation.home, 'refused'), 'bob', 400);
    expect(login.code).not.toBe(0);
    expect(login.stderr).toContain('(bob@example.org) is deactivated');
  });
});

const OFFICIAL = officialClient('0.22.5');
if (OFFICIAL.path === null) console.warn(`SKIPPED: no official client.\n${OFFICIAL.missing}`);

describe.skipIf(OFFICIAL.path === null)('the official command line', () => {
  const begin = async (name: string) => {
    const home = join(installation.home, name);
    mkdirSync(home, { recursive: true });
    const client = new OfficialClient(OFFICIAL.path ?? '', home);
    const session = client.start(['login', '--url', installation.url], {
      env: { BROWSER: '/bin/true' },
    });
    await session.until('/auth?');
    const link = () => /http:\S+\/auth\?\S+(?=\s)/.exec(session.stdout)?.[0];
    await until(async () => link() !== undefined);
    return { session, link: String(link()), home };
  };

  it('logs in after the question, with the code that the page hands over', async () => {
    const { session, link, home } = await begin('official');
    const v = await stranger('/');
    v.expectProblem(/ERR_CONNECTION_REFUSED|ERR_SOCKS|404/);
    await v.page.goto(link);
    await signInAtProvider(v.page, 'dora');
    await v.page.getByText('wants to sign in as dora').waitFor();
    await v.page.getByRole('button', { name: 'Continue' }).click();
    await v.page.getByText('dstack CLI authenticated').waitFor();
    expect(await session.ended).toMatchObject({
      ...{ code: 0, stdout: expect.stringContaining('Logged in as dora') },
    });
    expect(readFileSync(join(home, '.dstack', 'config.yml'), 'utf8')).toContain('name: main');
  });

  it('ends if the person has no user', async () => {
    const { session, link } = await begin('official-refused');
    const v = await stranger('/');
    v.expectProblem(/400|404|ERR_CONNECTION_REFUSED|ERR_SOCKS/);
    await v.page.goto(link);
    await signInAtProvider(v.page, 'bob');
    await v.page.getByText('Authentication failed').first().waitFor();
    const { code, stdout, stderr } = await session.ended;
    expect(code).not.toBe(0);
    expect(stdout + stderr).toContain('CLI authentication failed');
  });
});
