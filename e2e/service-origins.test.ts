/** Services with host names of their own, as a person with a browser uses them, behind workers of the proxy. */
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { applyFleet, configuration, newInstallation } from './installation.ts';
import { freePort } from './serving.ts';
import { launchTestBrowser } from './web/browser.ts';
import { visitorsOf } from './web/visitors.ts';

const app = jobProgram(join(import.meta.dirname, 'service-app.ts'));

let home: Installation;
let browser: Browser;
const { visitor } = visitorsOf(
  () => browser,
  () => home,
);

beforeAll(async () => {
  const port = await freePort();
  home = newInstallation({
    DSTACK_SERVER_PROXY_WORKERS: '2',
    DSTACK_SERVER_URL: `http://127.0.0.1:${port}`,
    // Browsers look for such names on their own computer.
    DSTACK_SERVER_SERVICES_URL: `http://*.apps.localhost:${port}`,
  });
  await home.startServer('--port', String(port));
  // The command line would use it too.
  delete home.env.DSTACK_SERVER_URL;
  await applyFleet(home, '0..2');
  for (const name of ['one', 'two']) {
    const yaml = `type: service\nname: ${name}\nport: 8000\nprobes: []\nresources: {gpu: 0}\ncommands: ['exec ${app}']\n`;
    await home.ok('apply', '-f', configuration(home, `${name}.dstack.yml`, yaml), '-y', '-d');
    const headers = { authorization: `Bearer ${home.token()}` };
    const url = `${home.url}/proxy/services/main/${name}/kilobyte`;
    while ((await fetch(url, { headers })).status !== 200);
  }
  browser = await launchTestBrowser();
});
afterAll(async () => {
  await browser?.close();
  await home?.dispose();
});

const address = async (name: string) => (await home.ok('open', name, '--print')).trim();

const seenBy = async (page: Page) => JSON.parse((await page.textContent('body')) ?? '');

/** Runs code as a script of the page, and returns its result. */
const script = <T>(page: Page, code: string): Promise<T> =>
  page.evaluate(`(async () => {${code}})()`);

it('people sign in once, each service has a cookie of its own, and pages reach nothing else', async () => {
  const [one, two] = [await address('one'), await address('two')];
  expect(one).toMatch(/^http:\/\/one-[0-9a-f]{8}\.apps\.localhost:\d+\/$/);
  const v = await visitor('/open-service');
  const { page, context } = v;
  v.expectProblem(/401|403|404|500|policy|CORS|WebSocket|ERR_FAILED/);

  await page.goto(`${one}deep/page?x=1`);
  await page.getByLabel('Token').fill(home.token());
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${one}deep/page?x=1`);
  const seen = await seenBy(page);
  expect(seen).toMatchObject({ url: '/deep/page?x=1', headers: { 'x-dstack-user': 'admin' } });
  expect(seen.headers.cookie).toBeUndefined();

  const requests = (await home.ok('logs', '--access', 'one', '--json')).trim().split('\n');
  const logged = requests.map((line) => JSON.parse(line));
  expect(logged.find(({ path }) => path === '/deep/page')).toMatchObject({
    ...{ type: 'request', run: 'one', method: 'GET', status: 200, user: 'admin' },
  });

  // The second service needs no sign-in.
  const second = await context.newPage();
  await second.goto(two);
  await second.waitForURL(two);
  expect((await seenBy(second)).headers['x-dstack-user']).toBe('admin');

  const ofServices = (await context.cookies()).filter(({ domain }) => domain.includes('apps'));
  expect(ofServices.map(({ domain }) => domain).sort()).toEqual(
    [one, two].map((url) => new URL(url).hostname).sort(),
  );
  for (const cookie of ofServices) {
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' });
  }

  // Its own pages may do everything, WebSockets included.
  expect(
    await script(page, `return (await (await fetch('/x', { method: 'POST' })).json()).method`),
  ).toBe('POST');
  const echo = `return await new Promise((done) => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');
    socket.onopen = () => socket.send('hello');
    socket.onmessage = ({ data }) => done(data);
    socket.onerror = () => done('refused');
  })`;
  expect(await script(page, echo)).toBe('hello');
  expect(await script(page, 'return document.cookie')).toBe('');

  // Pages of another service may not, although the browser sends the cookie.
  const other = new URL(one).origin;
  expect(await script(second, echo.replace('location.origin', `'${other}'`))).toBe('refused');
  const statuses: number[] = [];
  page.context().on('response', (answer) => {
    if (answer.url().startsWith(`${other}/from-two`)) statuses.push(answer.status());
  });
  const blind = `await fetch('${other}/from-two', { method: 'POST', mode: 'no-cors', credentials: 'include' })`;
  await script(second, blind);
  await expect.poll(() => statuses).toEqual([403]);

  // Neither may use the session of the web UI.
  const api = `const answer = await fetch('${home.url}/api/users/get_my_user', { method: 'POST', credentials: 'include' })
    .catch(() => null); return answer === null`;
  expect(await script(page, api)).toBe(true);

  // Signing out of the web UI ends both.
  const ui = await context.newPage();
  await ui.goto(`${home.url}/`);
  await ui.locator('#main').waitFor();
  await ui.getByRole('button', { name: /admin/ }).click();
  await ui.getByRole('menuitem', { name: 'Sign out', exact: true }).click();
  await ui.getByLabel('Token').waitFor();
  await page.goto(one);
  await page.getByLabel('Token').waitFor();
});
