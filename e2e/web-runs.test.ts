/** Runs of several jobs, and several runs, in a browser. */
import type { Installation } from '@dstack/testkit';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  applyFleet,
  configuration,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';
import { launchTestBrowser, NARROW } from './web/browser.ts';
import { visitorsOf } from './web/visitors.ts';

let home: Installation;
let browser: Browser;
const { signedIn } = visitorsOf(
  () => browser,
  () => home,
);

const REPLICAS = `type: service
name: api
port: 8000
replicas: 3
commands: ['echo "my number is $(( 6 * 7 ))"', 'sleep 3600']
resources: {gpu: 0}
`;

/** Lines of which some are wider than any window. */
const LONG = `for i in $(seq 1 1500); do echo "INFO step $i $(printf 'word %.0s' $(seq 1 60))"; echo "ERROR bad $i"; done`;
const RATES = { slow: '0.1', fast: '0.2' };

beforeAll(async () => {
  home = newInstallation({ DSTACK_LOCAL_MAX_INSTANCES: '4' });
  await home.startServer();
  await applyFleet(home, '0..4');
  for (const [name, rate] of Object.entries(RATES)) {
    await submit(home, name, ['exit 3'], `env: {LR: "${rate}"}\n`);
  }
  await submit(home, 'long', [LONG]);
  await home.ok('apply', '-f', configuration(home, 'api.dstack.yml', REPLICAS), '-y', '-d');
  await untilRun(home, 'api', isRunning);
  browser = await launchTestBrowser();
});

afterAll(async () => {
  await browser?.close();
  await home?.dispose();
});

it('jobs show their use and their last line, and the logs of chosen ones are merged', async () => {
  const v = await signedIn('/projects/main/runs/api');
  const { page } = v;
  const rows = page.getByRole('table', { name: 'Jobs' }).getByRole('row');
  for (const replica of [0, 1, 2]) {
    const row = rows.filter({ hasText: `api-0-${replica}` });
    await row.getByText('my number is 42').waitFor();
    await row.getByRole('img', { name: /^CPU in the last 15 minutes: latest/ }).waitFor();
  }
  expect(await v.violations()).toEqual([]);
  for (const name of ['api-0-0', 'api-0-2']) {
    await rows.getByRole('link', { name }).focus();
    await page.keyboard.press('x');
  }
  await page.getByText('2 jobs selected').waitFor();
  await page.getByRole('button', { name: 'Merged logs' }).click();
  const log = page.getByRole('region', { name: 'Output of 2 jobs' });
  await log.getByText('api-0-2').waitFor();
  expect(await log.getByText('my number is 42').count()).toBe(2);
  await page.reload();
  await log.getByText('api-0-0').waitFor();
  expect(await log.getByText('api-0-1').count()).toBe(0);
});

it('jobs are cards on a telephone', async () => {
  const v = await signedIn('/projects/main/runs/api', { viewport: NARROW });
  const jobs = v.page.getByRole('list', { name: 'Jobs' });
  await jobs.getByText('my number is 42').first().waitFor();
  expect(await v.violations()).toEqual([]);
});

it('runs are chosen and compared by keyboard alone, and the address leads to the same', async () => {
  const v = await signedIn('/runs');
  const { page } = v;
  await page.getByRole('link', { name: 'fast' }).focus();
  await page.keyboard.press('x');
  await page.getByRole('link', { name: 'slow' }).focus();
  await page.keyboard.press('x');
  await page.keyboard.press('ControlOrMeta+k');
  await page.getByRole('combobox', { name: 'Search or jump to' }).waitFor();
  await page.keyboard.type('compare the selected');
  await page.getByRole('option', { name: 'Compare the selected runs' }).waitFor();
  await page.keyboard.press('Enter');
  const table = page.getByRole('table', { name: 'Configuration' });
  await table.getByRole('row', { name: /env\.LR/ }).waitFor();
  expect(await table.getByRole('rowheader').allTextContents()).toEqual(['env.LR']);
  expect(new Set(await table.getByRole('cell', { name: /^0/ }).allTextContents())).toEqual(
    new Set(Object.values(RATES)),
  );
  const exits = page.getByRole('row', { name: /Exit code/ });
  expect(await exits.getByText('3', { exact: true }).count()).toBe(2);
  v.expectProblem(/400/);
  await page.goto(`${page.url()},main/api,main/missing`);
  await page.getByText('There is no run main/missing').waitFor();
  await page.getByRole('region', { name: 'CPU', exact: true }).waitFor();
  expect(await v.violations()).toEqual([]);
});

it('compared runs fit a telephone in the dark', async () => {
  const path = '/compare?runs=main/slow,main/fast,main/api&keys=all';
  const v = await signedIn(path, { viewport: NARROW, colorScheme: 'dark' });
  await v.page.getByRole('table', { name: 'Configuration' }).waitFor();
  expect(await v.violations()).toEqual([]);
  expect(await v.page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
});

it('wrapping and the level keep the place that is read, and a link to nothing explains that', async () => {
  const v = await signedIn('/projects/main/runs/long/logs');
  const { page } = v;
  const log = page.getByRole('region', { name: 'Output of long-0-0' });
  await log.getByText('ERROR bad 1500').waitFor();
  const shown = `document.querySelector('section[aria-label="Output of long-0-0"]')`;
  await page.evaluate(`${shown}.scrollTo(0, 20_000)`);
  const first = async () =>
    Number(
      await page.evaluate(`(() => {
        const top = ${shown}.getBoundingClientRect().top;
        const lines = [...${shown}.querySelectorAll('[data-index]')];
        const line = lines.find((one) => one.getBoundingClientRect().bottom > top + 12);
        return /(?:step|bad) (\\d+)/.exec(line?.textContent ?? '')?.[1];
      })()`),
    );
  await expect.poll(first).toBe(501);
  for (const change of [
    () => page.keyboard.press('w'),
    async () => {
      await page.getByRole('combobox', { name: 'Level' }).click();
      await page.getByRole('option', { name: 'Errors', exact: true }).click();
    },
    () => page.keyboard.press('w'),
  ]) {
    await change();
    await expect.poll(first).toSatisfy((number) => Math.abs(Number(number) - 501) < 3);
  }
  await page.goto(`${page.url()}#t=2030-01-01T00:00:00Z`);
  await page.reload();
  await page.getByText('Nothing was printed there').waitFor();
  await page.getByRole('button', { name: 'Show the end of the output' }).click();
  await log.getByText('ERROR bad 1500').waitFor();
});
