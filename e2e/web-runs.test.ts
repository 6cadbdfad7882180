/** Runs of several jobs, and several runs, in a browser. */
import type { Installation } from '@dstack/testkit';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { applyFleet, configuration, isRunning, newInstallation, untilRun } from './installation.ts';
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

beforeAll(async () => {
  home = newInstallation({ DSTACK_LOCAL_MAX_INSTANCES: '4' });
  await home.startServer();
  await applyFleet(home, '0..4');
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
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('x');
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
