import { existsSync, readFileSync } from 'node:fs';
import type { Installation } from '@dstack/testkit';
import type { Browser, Locator } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isFinished, isRunning, newInstallation, submit, untilRun } from './installation.ts';
import { launchTestBrowser, Visitor } from './web/browser.ts';
import { HOSTILE, seedRuns } from './web/seed.ts';

/** One server and one browser for all: each test has a profile of its own. */
let installation: Installation;
let browser: Browser;
const visitors: Visitor[] = [];

beforeAll(async () => {
  installation = newInstallation();
  await installation.startServer();
  await seedRuns(installation);
  browser = await launchTestBrowser();
});

afterAll(async () => {
  await browser?.close();
  await installation?.dispose();
});

afterEach(async () => {
  const problems = visitors.flatMap((visitor) => visitor.problems);
  for (const { context } of visitors.splice(0)) await context.close();
  expect(problems).toEqual([]);
});

async function visitor(path = '/', options: object = {}): Promise<Visitor> {
  const opened = await Visitor.open(browser, installation.url, options);
  visitors.push(opened);
  await opened.navigate(path);
  return opened;
}

async function signedIn(path = '/', options: object = {}): Promise<Visitor> {
  const opened = await visitor(path, options);
  await opened.signIn(installation.token());
  return opened;
}

it('finds the browser', () => {
  expect(existsSync('/usr/bin/chromium')).toBe(true);
});

it('has no page that is longer than its window, which would have a second scrollbar', async () => {
  const v = await signedIn('/runs');
  await v.page.getByRole('link', { name: 'steps' }).waitFor();
  for (const path of ['/', '/runs', '/projects/main/runs/steps', '/runs/launch']) {
    await v.navigate(path);
    await v.page.getByRole('heading', { level: 1 }).waitFor();
    const [content, window] = await v.page.evaluate<[number, number]>(
      '[document.documentElement.scrollHeight, innerHeight]',
    );
    expect([path, content]).toEqual([path, window]);
  }
});

describe('signing in', () => {
  it('refuses a wrong token, takes the right one, and survives a reload', async () => {
    const v = await visitor('/runs');
    v.expectProblem(/403/);
    await v.page.getByLabel('Token').fill('wrong');
    await v.page.getByRole('button', { name: 'Sign in' }).click();
    await v.page.getByText('The server does not accept this token').waitFor();
    await v.signIn(installation.token());
    await v.page.reload();
    await v.page.getByRole('link', { name: 'steps' }).waitFor();
    const stored = await v.page.evaluate<string>('JSON.stringify([localStorage, sessionStorage])');
    expect(stored).not.toContain(installation.token());
  });

  it('ends in all tabs', async () => {
    const v = await signedIn('/runs');
    const other = await v.context.newPage();
    await other.goto(`${installation.url}/runs`);
    await other.getByRole('link', { name: 'steps' }).waitFor();
    await v.page.getByRole('button', { name: 'Signed in as admin' }).click();
    await v.page.getByRole('menuitem', { name: 'Sign out', exact: true }).click();
    await v.page.getByText('You have signed out.').waitFor();
    await other.getByRole('heading', { name: 'Sign in' }).waitFor();
  });
});

describe('runs', () => {
  it('appear and change without a reload', async () => {
    const v = await signedIn('/runs');
    await v.page.getByRole('link', { name: 'steps' }).waitFor();
    await v.page.locator('[data-state=live]').waitFor();
    await submit(installation, 'first', ['true']);
    await v.page.getByRole('row', { name: /first/ }).getByText('Exited (0)').waitFor();
    let lists = 0;
    v.page.on('request', (request) => {
      if (request.url().endsWith('/api/runs/list')) lists += 1;
    });
    await submit(installation, 'fresh', ['sleep 3600']);
    const row = v.page.getByRole('row', { name: /fresh/ });
    await row.getByText('Running').waitFor();
    await installation.ok('stop', 'fresh', '-y');
    await row.getByText('Stopped').waitFor();
    // The stream of changes has the rows themselves.
    expect(lists).toBe(0);
  });

  it('show why they failed, their output and their exit status', async () => {
    const v = await signedIn('/projects/main/runs/broken');
    await v.page.getByRole('region', { name: 'Why it ended' }).waitFor();
    await v.page.getByRole('region', { name: 'Timeline' }).getByText('Running for').waitFor();
    await v.page.getByText('trying').waitFor();
    await v.page.getByText('Exit status', { exact: true }).waitFor();
  });

  it('follow their output, in which nothing is markup', async () => {
    const v = await signedIn('/projects/main/runs/steps/logs');
    const log = v.page.getByRole('region', { name: 'Output of steps-0-0' });
    await log.getByText('step 3').waitFor();
    await log.getByText(HOSTILE).waitFor();
    expect(await log.locator('img').count()).toBe(0);
    await v.page.getByRole('searchbox', { name: 'Search the log' }).fill('STEP');
    await v.page.getByText('3 hits').waitFor();
    await v.page.getByRole('button', { name: 'Regular expression' }).click();
    await v.page.getByRole('searchbox', { name: 'Search the log' }).fill('^STEP [12]$');
    await v.page.getByText('2 hits').waitFor();
  });

  it('lead to a line, also after a reload, and fill the screen', async () => {
    const v = await signedIn('/projects/main/runs/steps/logs');
    const log = v.page.getByRole('region', { name: 'Output of steps-0-0' });
    const line = log.locator('[data-index]', { hasText: 'step 2' });
    await line.hover();
    await line.locator('a').click({ position: { x: 5, y: 10 } });
    await log.locator('[data-marked]', { hasText: 'step 2' }).waitFor();
    expect(v.page.url()).toMatch(/\?job=steps-0-0&attempt=1#t=[^&]+Z&at=\d+$/);
    expect(await v.page.evaluate('navigator.clipboard.readText()')).toBe(v.page.url());
    await v.page.reload();
    await log.locator('[data-marked]', { hasText: 'step 2' }).waitFor();
    await log.getByText('step 1').waitFor();
    await v.page.keyboard.press('Shift+F');
    await v.page.getByRole('button', { name: 'Leave the full screen' }).waitFor();
    expect(await v.violations()).toEqual([]);
    await v.page.keyboard.press('Escape');
    await v.page.getByRole('button', { name: 'Full screen' }).waitFor();
  });

  it('have the times of their lines, on the page and in the file, if they are wanted', async () => {
    const v = await signedIn('/projects/main/runs/steps/logs');
    const log = v.page.getByRole('region', { name: 'Output of steps-0-0' });
    const line = log.locator('[data-index]', { hasText: 'step 2' });
    await line.waitFor();
    expect(await log.locator('time').count()).toBe(0);
    await v.page.getByRole('button', { name: 'Timestamps' }).click();
    const time = line.locator('time');
    const exact = String(await time.getAttribute('title'));
    expect(await time.textContent()).toMatch(/\d\d:\d\d:\d\d\.\d{3} $/);
    expect(await v.violations()).toEqual([]);
    const printed = await installation.ok('logs', 'steps', '--timestamps', '-n', '20');
    const known = /(\S+) step 2/.exec(printed)?.[1] ?? '';
    expect(Date.parse(known)).toBe(Date.parse(exact));
    const [download] = await Promise.all([
      v.page.waitForEvent('download'),
      v.page.getByRole('button', { name: 'Download the log' }).click(),
    ]);
    const file = readFileSync(await download.path(), 'utf8').split(/\r?\n/);
    expect(file).toContain(`${exact} step 2`);
    await v.page.reload();
    await time.waitFor();
  });

  it('have metrics, events, a configuration and their raw form', async () => {
    const v = await signedIn('/projects/main/runs/steps/metrics');
    await v.page.getByRole('region', { name: 'CPU' }).waitFor();
    await v.page
      .getByRole('navigation', { name: 'Parts of the run' })
      .getByRole('link', { name: 'Events' })
      .click();
    await v.page.getByText('Run submitted. Status: SUBMITTED').waitFor();
    await v.page.getByRole('link', { name: 'Configuration' }).click();
    await v.page.getByRole('region', { name: 'Configuration of the run' }).waitFor();
    await v.page.getByRole('link', { name: 'Inspect' }).click();
    await v.page.getByText('"steps"').first().waitFor();
  });

  it('are stopped from their row, which can be undone, also when the tab is closed before', async () => {
    await submit(installation, 'brief', ['sleep 3600']);
    await untilRun(installation, 'brief', isRunning);
    const v = await signedIn('/runs');
    const row = v.page.getByRole('row', { name: /brief/ });
    await row.hover();
    await row.getByRole('button', { name: 'Stop brief' }).click();
    await v.page.getByText('brief is stopped').waitFor();
    await v.page.keyboard.press('u');
    await v.page.getByText('brief goes on').waitFor();
    await row.getByRole('button', { name: 'Stop brief' }).click();
    await v.page.getByRole('button', { name: /^Undo/ }).waitFor();
    await v.page.goto('about:blank');
    await untilRun(installation, 'brief', isFinished);
  });

  it('are run again and stopped by keyboard alone', async () => {
    const v = await signedIn('/projects/main/runs/broken');
    const { keyboard } = v.page;
    await v.page.getByRole('button', { name: 'Run again' }).focus();
    await keyboard.press('Enter');
    const dialog = v.page.getByRole('dialog', { name: 'Run broken again?' });
    await dialog.waitFor();
    await v.page.getByRole('textbox', { name: 'Name' }).focus();
    await keyboard.press('ControlOrMeta+a');
    await keyboard.type('broken-2');
    await keyboard.press('Tab');
    await keyboard.press('Tab');
    await keyboard.press('Enter');
    await v.page.getByRole('heading', { level: 1, name: 'broken-2' }).waitFor();
    await v.page.getByText('Exited (3)').first().waitFor();
    await keyboard.press('ControlOrMeta+k');
    await v.page.getByRole('combobox', { name: 'Search or jump to' }).waitFor();
    await keyboard.type('steps');
    await v.page.getByRole('option').first().getByText('steps').waitFor();
    await keyboard.press('Enter');
    await v.page.getByRole('heading', { level: 1, name: 'steps' }).waitFor();
    // The name is there before the run is.
    await v.page.getByRole('link', { name: 'Logs', exact: true }).waitFor();
    await keyboard.press('l');
    await v.page.getByRole('region', { name: 'Output of steps-0-0' }).waitFor();
    await keyboard.press('s');
    const asked = v.page.getByRole('dialog', { name: 'Stop steps?' });
    await asked.waitFor();
    await keyboard.press('Escape');
    await asked.waitFor({ state: 'detached' });
  });
});

describe('the launch page', () => {
  it('completes keys, puts errors at their lines, shows the plan, and leads to the run', async () => {
    const v = await signedIn('/runs/launch');
    // The plan of a text that the server refuses.
    v.expectProblem(/422/);
    const { page } = v;
    const { keyboard } = page;
    const editor = page.getByRole('textbox', { name: 'Configuration in YAML' });
    await page.getByText('A new run is created.').waitFor();
    await editor.click();
    await keyboard.press('ControlOrMeta+End');
    await keyboard.type('spot');
    await page.getByRole('option', { name: /spot_policy/ }).click();
    await keyboard.type('never');
    await page.getByText('Line 11').waitFor();
    await page.getByText(/spot_policy: must be one of/).waitFor();
    await page.locator('.cm-lint-marker-error').waitFor();
    for (const _ of 'spot_policy: never') await keyboard.press('Backspace');
    // Enter after a key without a value begins a line that is a part of it.
    await keyboard.type('resources:\ncpu: 1..');
    await editor.getByText(/^ {2}cpu: 1/).waitFor();
    // One press removes an indentation.
    for (const _ of 'resources:\n cpu: 1..') await keyboard.press('Backspace');
    await keyboard.type('max_duration: 1000000000x');
    await page
      .getByText(/^max_duration: /)
      .first()
      .waitFor();
    for (const _ of 'max_duration: 1000000000x') await keyboard.press('Backspace');
    await page.getByRole('radio', { name: 'Form' }).check();
    await page.getByRole('textbox', { name: 'Name' }).fill('launched');
    await page.getByRole('textbox', { name: 'Commands' }).fill('echo launched from the UI');
    expect(await v.violations()).toEqual([]);
    await page.getByRole('radio', { name: 'YAML' }).check();
    await editor.getByText('launched from the UI').waitFor();
    await page.locator('[aria-busy=false]').getByText('A new run is created.').waitFor();
    await editor.click();
    await keyboard.press('ControlOrMeta+Enter');
    await page.getByRole('heading', { level: 1, name: 'launched' }).waitFor();
    await page.getByText('Exited (0)').first().waitFor();
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'Change and run' }).click();
    await page.getByText(/The ended run launched is replaced/).waitFor();
  });
});

describe('a terminal', () => {
  it('runs a shell in the job, keeps it while other tabs are looked at, and starts a new one', async () => {
    const v = await signedIn('/projects/main/runs/steps');
    await v.page.getByRole('heading', { level: 1, name: 'steps' }).waitFor();
    await v.page.getByRole('link', { name: 'Logs', exact: true }).waitFor();
    const { keyboard } = v.page;
    await keyboard.press('t');
    const screen = v.page.getByRole('region', { name: 'Terminal in steps' });
    await v.page.getByText('Connected').waitFor();
    await keyboard.type('X=$((40+2)); echo kept-$X; stty size\n');
    await screen.getByText('kept-42').waitFor();
    // A colour that a program has chosen for dark screens is drawn, and can be read on light ones.
    await keyboard.type("printf '\\033[38;2;250;250;200mpale\\033[0m\\n'\n");
    const pale = screen.getByText('pale', { exact: true });
    await pale.waitFor();
    const colorOf = (part: Locator) =>
      part.evaluate((it) => {
        const page = globalThis as unknown as { getComputedStyle(of: unknown): { color: string } };
        return page.getComputedStyle(it).color;
      });
    const color = await colorOf(pale);
    expect(color).not.toBe(await colorOf(screen));
    expect(color).not.toBe('rgb(250, 250, 200)');
    const [, rows = '', cols = ''] =
      /(\d+) (\d+)/.exec((await screen.getByText(/^\d+ \d+$/).textContent()) ?? '') ?? [];
    expect([Number(rows) > 20, Number(cols) > 100]).toEqual([true, true]);
    await v.page.setViewportSize({ width: 900, height: 700 });
    await keyboard.type("stty size | sed 's/^/now /'\n");
    const resized = await screen.getByText(/^now \d+ \d+$/).textContent();
    expect(Number((resized ?? '').split(' ')[2])).toBeLessThan(Number(cols));
    await keyboard.press('ControlOrMeta+F6');
    await v.page
      .getByRole('navigation', { name: 'Parts of the run' })
      .getByRole('link', { name: 'Events' })
      .click();
    await v.page.getByText('Run submitted').waitFor();
    await v.page.getByRole('link', { name: 'Terminal' }).click();
    await screen.click();
    await keyboard.type('echo again-$X; exit 5\n');
    await screen.getByText('again-42').waitFor();
    await v.page.getByText('The shell has exited with status 5.').waitFor();
    await v.page.getByRole('button', { name: 'Open a new shell' }).click();
    await v.page.getByText('Connected').waitFor();
    expect(await v.violations()).toEqual([]);
    await v.page.evaluate("navigator.clipboard.writeText('echo pasted-$((1+1))')");
    await screen.click();
    await keyboard.press('ControlOrMeta+v');
    await keyboard.press('Enter');
    await screen.getByText('pasted-2').waitFor();
  });
});

describe('when something is lost in mid-view', () => {
  it('a server that restarts is reported, and the page continues', async () => {
    const v = await signedIn('/projects/main/runs/steps/logs');
    v.expectProblem(/ERR_CONNECTION_REFUSED|ERR_SOCKS|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE|50[23]/);
    const log = v.page.getByRole('region', { name: 'Output of steps-0-0' });
    await log.getByText('step 3').waitFor();
    await installation.stopServer();
    await v.page.getByText('The server does not answer.').waitFor();
    await log.getByText('step 3').waitFor();
    await installation.startServer();
    await v.page.getByText('The server does not answer.').waitFor({ state: 'detached' });
    await v.page.getByText(/^Live, /).waitFor();
  });

  it('a replaced token ends the session, and the page returns after signing in', async () => {
    await installation.api('/api/users/create', { username: 'eve', global_role: 'admin' });
    const eve = await installation.api<{ creds: { token: string } }>('/api/users/get_user', {
      username: 'eve',
    });
    const v = await visitor('/projects/main/runs/steps');
    v.expectProblem(/40[13]/);
    await v.signIn(eve.creds.token);
    await v.page.getByRole('heading', { level: 1, name: 'steps' }).waitFor();
    await installation.api('/api/users/refresh_token', { username: 'eve' });
    await v.page.getByText(/Your session has ended/).waitFor();
    await v.signIn(installation.token());
    await v.page.getByRole('heading', { level: 1, name: 'steps' }).waitFor();
  });
});

/** Nothing can be painted before there is a body. */
const THEME_WHEN_THE_BODY_APPEARS = `
  new MutationObserver((changes, observer) => {
    if (document.body === null) return;
    observer.disconnect();
    window.firstTheme = document.documentElement.dataset.theme;
  }).observe(document, { childList: true, subtree: true });
`;

it('shows the saved theme from the first frame on', async () => {
  const v = await visitor('/', { colorScheme: 'light' });
  await v.page.evaluate("localStorage.setItem('dstack-theme', 'dark')");
  await v.page.addInitScript({ content: THEME_WHEN_THE_BODY_APPEARS });
  await v.page.reload();
  expect(await v.page.evaluate('window.firstTheme')).toBe('dark');
});
