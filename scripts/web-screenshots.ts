/**
 * Pictures of the web UI, to be looked at: `node scripts/web-screenshots.ts [--built] [state or look …]` builds the
 * product (unless it is built), starts a server with the work of a team, and writes each state at two widths
 * in both themes to `.cache/web-screenshots`. Errors of the console, failed calls and what is cut off are
 * printed at the end.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Installation } from '@dstack/testkit';
import type { Browser } from 'playwright-core';
import { newInstallation } from '../e2e/installation.ts';
import { launchBrowser, NARROW, Visitor, WIDE } from '../e2e/web/browser.ts';
import { seedQueue, seedTeam } from '../e2e/web/seed.ts';

interface State {
  readonly name: string;
  readonly path: string;
  /** Shown when the page is ready. */
  readonly text: string;
  /** Does what the user does before the picture. */
  readonly act?: (visitor: Visitor, home: Installation) => Promise<unknown>;
  /** Undoes `act`. */
  readonly after?: (home: Installation) => Promise<unknown>;
}

/** The page of one run. */
const run = (name: string, part = '') => `/projects/main/runs/${name}${part}`;
const TRAIN = 'train-llama-3-8b-lora';

const KEY_STATES: readonly State[] = [
  { name: 'overview', path: '/', text: 'Last failures' },
  { name: 'runs', path: '/runs', text: TRAIN },
  { name: 'run', path: run(TRAIN), text: 'Timeline' },
  { name: 'failed', path: run('evaluate'), text: 'Why it ended' },
  { name: 'waiting', path: run('sweep-0417'), text: 'Timeline' },
  { name: 'logs', path: run(TRAIN, '/logs'), text: 'validation' },
  { name: 'metrics', path: run(TRAIN, '/metrics'), text: 'CPU' },
  { name: 'launch', path: '/runs/launch', text: 'A new run is created' },
  { name: 'fleet', path: '/projects/main/fleets/default', text: 'Hosts' },
  { name: 'members', path: '/projects/main/members', text: 'bartholomew' },
  {
    name: 'stop',
    path: run(TRAIN),
    text: 'Timeline',
    act: async ({ page }) => {
      await page.keyboard.press('s');
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'offline',
    path: run(TRAIN),
    text: 'Timeline',
    act: async ({ page }, home) => {
      await home.stopServer();
      await page.getByText('The server does not answer.').waitFor();
    },
    after: (home) => home.startServer(),
  },
];

const MORE_STATES: readonly State[] = [
  { name: 'service', path: run('chat'), text: 'Timeline' },
  { name: 'dev', path: run('notebook'), text: 'Timeline' },
  { name: 'retried', path: run('flaky'), text: 'Timeline' },
  { name: 'scheduled', path: run('nightly'), text: 'nightly' },
  { name: 'terminal', path: run(TRAIN, '/terminal'), text: 'Connected' },
  { name: 'configuration', path: run(TRAIN, '/configuration'), text: 'as it runs' },
  { name: 'run-events', path: run(TRAIN, '/events'), text: 'Run status: ' },
  { name: 'compare', path: `/compare?runs=main/${TRAIN},main/evaluate`, text: 'Figures' },
  { name: 'all-metrics', path: run('chat', '/metrics?job=all'), text: 'CPU' },
  { name: 'inspect', path: run(TRAIN, '/inspect'), text: 'run_spec' },
  { name: 'offers', path: '/offers?kind=cpu', text: 'x86' },
  { name: 'queue', path: '/queue', text: 'sweep-0417' },
  { name: 'kept-back', path: '/queue?show=kept', text: 'Held by' },
  { name: 'board', path: '/board', text: 'default-0' },
  { name: 'board-table', path: '/board?view=table', text: 'default-0' },
  {
    name: 'board-try',
    path: '/board',
    text: 'default-0',
    act: async ({ page }) => {
      await page.getByRole('button', { name: 'Try a configuration' }).click();
      const editor = page.getByRole('textbox', { name: 'Configuration in YAML' });
      await editor.fill('type: task\nname: mine\ncommands: [sleep 60]\nresources: {gpu: 0}\n');
      await page.getByText(/would start now/).waitFor();
    },
  },
  { name: 'quotas', path: '/quotas', text: 'GPUs' },
  { name: 'shares', path: '/quotas?show=shares', text: 'is placed first' },
  {
    name: 'quota',
    path: '/quotas',
    text: 'GPUs',
    act: async ({ page }) => {
      await page.getByRole('button', { name: 'New quota' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  { name: 'depends', path: run('report'), text: 'Depends on' },
  { name: 'held', path: run('ablation'), text: 'joins the queue' },
  { name: 'fleets', path: '/fleets', text: 'default' },
  { name: 'add-fleet', path: '/projects/main/fleets/add', text: 'Login user' },
  { name: 'instances', path: '/instances', text: 'default-0' },
  { name: 'events', path: '/events', text: 'Run status: ' },
  { name: 'services', path: '/services', text: 'parrot' },
  {
    name: 'playground',
    path: '/projects/main/models/chat',
    text: 'chat',
    // The model returns it in capitals, without spaces.
    act: async ({ page }) => {
      const text =
        '**bold**,`code`\n\n```py\nx=1\n```\n\n|a|b|\n|-|-|\n|1|2|\n\nhttps://example.com';
      await page.getByRole('textbox', { name: 'Message' }).fill(text);
      await page.keyboard.press('Enter');
      await page.getByText('BOLD', { exact: true }).waitFor();
    },
  },
  { name: 'volumes', path: '/volumes', text: 'datasets' },
  { name: 'gateways', path: '/gateways', text: 'No gateways yet' },
  { name: 'projects', path: '/projects', text: 'main' },
  { name: 'project', path: '/projects/main', text: 'Command line' },
  { name: 'backends', path: '/projects/main/backends', text: 'Backends' },
  { name: 'secrets', path: '/projects/main/secrets', text: 'HF_TOKEN' },
  { name: 'tokens', path: '/projects/main/tokens', text: 'No service tokens yet' },
  { name: 'exports', path: '/projects/main/exports', text: 'Imports' },
  { name: 'users', path: '/users', text: 'admin' },
  { name: 'user', path: '/users/admin', text: 'SSH keys' },
  { name: 'server', path: '/server', text: 'Loops' },
  {
    name: 'palette',
    path: '/runs',
    text: TRAIN,
    act: async ({ page }) => {
      await page.keyboard.press('ControlOrMeta+k');
      await page.getByRole('option').first().waitFor();
    },
  },
  {
    name: 'help',
    path: '/runs',
    text: TRAIN,
    act: async ({ page }) => {
      await page.keyboard.press('?');
      await page.getByRole('dialog').waitFor();
    },
  },
];

const LOOKS = [
  ['wide-light', { viewport: WIDE, colorScheme: 'light' }],
  ['wide-dark', { viewport: WIDE, colorScheme: 'dark' }],
  ['narrow-light', { viewport: NARROW, colorScheme: 'light' }],
  ['narrow-dark', { viewport: NARROW, colorScheme: 'dark' }],
] as const;

const root = resolve(import.meta.dirname, '..');
const folder = join(root, '.cache', 'web-screenshots');

/** Tables and controls whose content is wider than they are; compared runs are scrolled through. */
const CUT_OFF = `[...document.querySelectorAll('table:not(section[tabindex="0"] table), button, h1, h2')]
  .map((element) => element.tagName === 'TABLE' ? element.parentElement : element)
  .filter((element) => element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0)
  .map((element) => element.tagName + ' ' + element.textContent.slice(0, 40))`;

/** The errors that are expected on the page of a server that has stopped. */
const WITHOUT_SERVER = /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE|50[23]|40[03]/;

async function photograph(browser: Browser, home: Installation, states: readonly State[]) {
  const problems: string[] = [];
  for (const [look, options] of looks) {
    const visitor = await Visitor.open(browser, home.url, options);
    visitor.expectProblem(WITHOUT_SERVER);
    await visitor.navigate('/runs');
    await visitor.page.getByLabel('Token').waitFor();
    await picture(visitor, 'sign-in', look);
    await visitor.signIn(home.token());
    for (const { name, path, text, act, after } of states) {
      await visitor.navigate(path);
      const shown = visitor.page.getByText(text).first();
      await shown.waitFor({ timeout: 10_000 }).catch(() => problems.push(`${name}: no "${text}"`));
      await act?.(visitor, home).catch((error) => problems.push(`${look}, ${name}: ${error}`));
      const cutOff = await visitor.page.evaluate<string[]>(CUT_OFF);
      problems.push(...cutOff.map((text) => `${look}, ${name}: cut off: ${text}`));
      await picture(visitor, name, look);
      await after?.(home);
    }
    problems.push(...visitor.problems.map((problem) => `${look}: ${problem}`));
    await visitor.context.close();
  }
  return problems;
}

async function picture({ page }: Visitor, name: string, look: string): Promise<void> {
  // Values that are still being drawn, such as charts, take a frame or two.
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(folder, `${name}-${look}.png`) });
}

const wanted = process.argv.slice(2).filter((word) => word !== '--built');
if (!process.argv.includes('--built')) {
  execFileSync(process.execPath, ['scripts/build.ts'], { cwd: root, stdio: 'ignore' });
}
mkdirSync(folder, { recursive: true });
const all = [...KEY_STATES, ...MORE_STATES];
const chosen = all.filter(({ name }) => wanted.includes(name));
const states = chosen.length > 0 ? chosen : all;
const someLooks = LOOKS.filter(([look]) => wanted.includes(look));
const looks = someLooks.length > 0 ? someLooks : LOOKS;
const home = newInstallation();
let browser: Browser | null = null;
try {
  await home.startServer();
  await seedTeam(home);
  await seedQueue(home);
  browser = await launchBrowser();
  const problems = await photograph(browser, home, states);
  for (const problem of problems) console.error(problem);
  console.log(`${states.length} states are in ${folder}; ${problems.length} problems`);
} finally {
  await browser?.close();
  await home.dispose();
}
