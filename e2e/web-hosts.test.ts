/** The web UI with a real host: a fleet made by the form, and a run in a container on it. */
import type { Installation } from '@dstack/testkit';
import { startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { afterFailure, IMAGE, missingForHosts, onFleet } from './hosts.ts';
import { newInstallation } from './installation.ts';
import { launchTestBrowser } from './web/browser.ts';
import { visitorsOf } from './web/visitors.ts';

const missing = missingForHosts();

describe.skipIf(missing !== null)('a host with Docker', () => {
  let machines: TestHosts;
  let host: TestHost;
  let home: Installation;
  let browser: Browser;
  const { signedIn } = visitorsOf(
    () => browser,
    () => home,
  );
  beforeAll(async () => {
    machines = await startHosts({ count: 1 });
    [host] = machines.hosts as [TestHost];
    await machines.busybox(IMAGE);
    home = newInstallation();
    await home.startServer();
    browser = await launchTestBrowser();
  });
  afterEach(({ task }) => afterFailure(task, home, machines.hosts));
  afterAll(async () => {
    await browser?.close();
    await home?.dispose();
    machines?.close();
  });

  it('is added by the form, and runs a container with logs, a terminal and an end', async () => {
    const v = await signedIn('/projects/main/fleets/add');
    const { page } = v;
    const { keyboard } = page;
    await page.getByLabel(/^Name/).fill('lab');
    await page.getByLabel(/^Hosts/).fill(host.address);
    await page.getByLabel(/^Login user/).fill('root');
    await page.getByLabel(/^Private SSH key/).fill('not a key');
    await page.getByRole('button', { name: 'Show the plan' }).click();
    await page.getByText(/^The private key must begin with/).waitFor();
    await page.getByLabel(/^Private SSH key/).fill(machines.privateKey);
    await page.getByRole('button', { name: 'Show the plan' }).click();
    await page.getByRole('button', { name: 'Create the fleet' }).click();
    await page.getByRole('heading', { level: 1, name: 'lab' }).waitFor();
    const hosts = page.getByRole('list', { name: 'Hosts' });
    await hosts.getByText(host.address).waitFor();
    await hosts.getByText('Idle').waitFor();

    await keyboard.press('c');
    const editor = page.getByRole('textbox', { name: 'Configuration in YAML' });
    await editor.click();
    await keyboard.press('ControlOrMeta+a');
    await keyboard.insertText(
      `type: task\nname: boxed\ncommands: ["echo in $(cat /etc/hostname)", "sleep 600"]\nresources:\n  gpu: 0\n${onFleet('lab')}`,
    );
    await page.locator('[aria-busy=false]').getByText('A new run is created.').waitFor();
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByRole('heading', { level: 1, name: 'boxed' }).waitFor();
    await page.getByRole('region', { name: 'Timeline' }).getByText('Running').first().waitFor();
    await page.getByText(/^in [0-9a-f]+/).waitFor();
    await page.getByRole('link', { name: 'Terminal' }).click();
    await page.getByText('Connected').waitFor();
    await keyboard.type('cat /etc/hostname | sed s/^/box-/; ls /bin/busybox\n');
    const screen = page.getByRole('region', { name: 'Terminal in boxed' });
    await screen.getByText(/^box-[0-9a-f]+/).waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop' }).click();
    await page.getByText('Stopped').first().waitFor();
    await v.navigate('/projects/main/fleets/lab');
    await hosts.getByText('Idle').waitFor();
    await hosts.getByText('No jobs').waitFor();
  });
});
