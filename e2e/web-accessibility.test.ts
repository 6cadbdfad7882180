/** Every page of the web UI, in both themes and at two widths, as `axe` sees it. */
import type { Installation } from '@dstack/testkit';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newInstallation, submit } from './installation.ts';
import { launchTestBrowser, NARROW, type Visitor, WIDE } from './web/browser.ts';
import { seedRuns } from './web/seed.ts';
import { visitorsOf } from './web/visitors.ts';

let installation: Installation;
let browser: Browser;
const { visitor } = visitorsOf(
  () => browser,
  () => installation,
);

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

/** Every page, with what must be there before it is checked. */
const PAGES: readonly (readonly [path: string, shown: string])[] = [
  ['/', 'Last failures'],
  ['/runs/launch', 'A new run is created'],
  ['/offers?kind=cpu', 'x86'],
  ['/queue', 'In the queue'],
  ['/queue?show=kept', 'Kept back'],
  ['/quotas', 'Nothing is limited'],
  ['/quotas?show=shares', 'Capacity is not shared by weight'],
  ['/board', 'default-0'],
  ['/board?view=table', 'default-0'],
  ['/runs', 'steps'],
  ['/projects/main/runs/steps', 'Timeline'],
  ['/projects/main/runs/broken', 'Why it ended'],
  ['/projects/main/runs/steps/logs', 'step 3'],
  ['/projects/main/runs/steps/metrics', 'CPU'],
  ['/projects/main/runs/steps/events', 'Run submitted'],
  ['/projects/main/runs/steps/configuration', 'The job, as it runs'],
  ['/projects/main/runs/steps/inspect', 'run_spec'],
  ['/projects/main/runs/nothing', 'There is no run nothing'],
  ['/fleets', 'default'],
  ['/projects/main/fleets/default', 'Hosts'],
  ['/projects/main/fleets/default/events', 'Instance status: '],
  ['/projects/main/fleets/default/inspect', 'instances'],
  ['/projects/main/fleets/nothing', 'There is no fleet nothing'],
  ['/projects/main/fleets/add', 'Login user'],
  ['/instances', 'default-0'],
  ['/events', 'Run submitted'],
  ['/services', 'No services run'],
  ['/volumes', 'No volumes yet'],
  ['/gateways', 'No gateways yet'],
  ['/projects', 'main'],
  ['/projects/main', 'Command line'],
  ['/projects/main/members', 'Members'],
  ['/projects/main/backends', 'Backends'],
  ['/projects/main/secrets', 'No secrets yet'],
  ['/projects/main/tokens', 'No service tokens yet'],
  ['/projects/main/exports', 'Imports'],
  ['/users', 'admin'],
  ['/users/admin', 'Browsers'],
  ['/users/admin/public-keys', 'SSH keys'],
  ['/users/admin/projects', 'main'],
  ['/users/admin/events', 'By the user'],
  ['/server', 'Loops'],
  ['/nowhere', 'There is no such page'],
];

/** Pages that look different once something waits for capacity and quotas are set. */
const FULL_PAGES: typeof PAGES = [
  ['/queue', 'patient'],
  ['/queue?show=kept', 'shelved'],
  ['/quotas', 'GPUs'],
  ['/quotas?show=shares', 'Projects that share capacity'],
  ['/board', 'default-0'],
  ['/projects/main/runs/patient', 'Why it waits'],
  ['/projects/main/runs/shelved', 'Held by'],
];

async function fillQueue(): Promise<void> {
  const quotas = [
    { project_name: 'main', guaranteed: { cpu: 1 }, limit: { cpu: 1000, gpu: 8 }, weight: 2 },
    { project_name: 'main', user_name: '*', limit: { runs: 40 } },
  ];
  await installation.api('/api/quotas/apply', { quotas });
  const waits = 'retry: {on_events: [no-capacity], duration: 1d}\npriority: 20\n';
  // More than a host has; without GPUs, of which the configuration speaks already.
  for (const name of ['patient', 'shelved']) {
    await submit(installation, name, ['true'], `  cpu: 500..\n${waits}`);
  }
  await installation.ok('hold', 'shelved');
}

/**
 * Themes differ in their colours, and widths in what fits; everything else is checked once. A page is loaded in
 * the first of these and becomes the others.
 */
const LOOKS = [
  {
    name: 'narrow',
    size: NARROW,
    colorScheme: 'light',
    rules: ['target-size', 'label', 'link-name', 'button-name'],
  },
  { name: 'light', size: WIDE, colorScheme: 'light', rules: [] },
  { name: 'dark', size: WIDE, colorScheme: 'dark', rules: ['color-contrast'] },
] as const;

type Look = (typeof LOOKS)[number];

const PAINTED = 'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))';

async function put(v: Visitor, { size, colorScheme }: Look): Promise<void> {
  await v.page.setViewportSize(size);
  await v.page.emulateMedia({ colorScheme });
  await v.page.evaluate(PAINTED);
}

/** Some hundred looks at pages; on a busy computer each takes seconds. */
const PATIENCE = { timeout: 400_000 };

it('no page has findings, in either theme and at either width', PATIENCE, async () => {
  const v = await visitor('/runs', { viewport: LOOKS[0].size });
  v.expectProblem(/400/);
  const found: Record<string, string[]> = {};
  const check = async (what: string) => {
    for (const look of LOOKS) {
      await put(v, look);
      const violations = await v.violations(look.rules);
      const wide = await v.page.evaluate<number>('document.body.scrollWidth - innerWidth');
      if (wide > 0) violations.push(`${wide} px too wide`);
      if (violations.length > 0) found[`${what}, ${look.name}`] = violations;
    }
    await put(v, LOOKS[0]);
  };
  await v.page.getByLabel('Token').waitFor();
  await check('sign in');
  await v.signIn(installation.token());
  const checkAll = async (pages: typeof PAGES, note = '') => {
    for (const [path, shown] of pages) {
      await v.navigate(path);
      await v.page.getByText(shown).first().waitFor();
      await check(path + note);
    }
  };
  await checkAll(PAGES);
  await fillQueue();
  await checkAll(FULL_PAGES, ', full');
  await v.page.keyboard.press('ControlOrMeta+k');
  await v.page.getByRole('option').first().waitFor();
  await check('palette');
  expect(found).toEqual({});
});
