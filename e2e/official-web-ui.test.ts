/**
 * The web UI of dstack 0.22.5, whose files come with its Python package, against our API: a walk
 * through its pages without a failed call.
 */
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyFleet,
  configuration,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';
import { officialClient } from './official-client/official-client.ts';
import { applyVolume } from './volumes.ts';
import { launchTestBrowser, WIDE } from './web/browser.ts';

const { path: client, missing } = officialClient('0.22.5');
if (missing !== null) console.warn(`The official web UI is NOT tested: ${missing}`);

const SERVICE = `type: service
name: model
port: 8000
model: llama
commands: [sleep 3600]
resources: {gpu: 0}
`;

let home: Installation;
let browser: Browser;
let page: Page;
/** Failed calls and errors of scripts. */
const problems: string[] = [];

beforeAll(async () => {
  if (client === null) return;
  const [files = ''] = globSync(
    join(client, 'lib/python3*/site-packages/dstack/_internal/server/statics'),
  );
  home = newInstallation();
  await home.startServer();
  await applyFleet(home, '0..3');
  await submit(home, 'steps', ['echo begun', 'sleep 3600']);
  await home.ok('apply', '-f', configuration(home, 'service.yml', SERVICE), '-y', '-d');
  await applyVolume(home, 'data', 'local', 'size: 1GB\n');
  await untilRun(home, 'steps', isRunning);
  browser = await launchTestBrowser();
  const context = await browser.newContext({ viewport: WIDE });
  await context.addInitScript(
    ([token]) => localStorage.setItem('authData', JSON.stringify({ token })),
    [home.token()],
  );
  // Nothing else is asked, neither its vendor nor a network of files.
  await context.route('**/*', async (route) => {
    const { origin, pathname } = new URL(route.request().url());
    if (origin !== home.url) return await route.abort();
    if (pathname.startsWith('/api/')) return await route.continue();
    const file = join(files, pathname);
    const isFile = pathname !== '/' && existsSync(file);
    await route.fulfill({ path: isFile ? file : join(files, 'index.html') });
  });
  page = await context.newPage();
  page.on('pageerror', ({ message }) => {
    // Its editor loads a worker that its package does not contain, and gets the first page instead.
    if (message !== "Unexpected token '<'") problems.push(`script: ${message}`);
  });
  page.on('response', (response) => {
    // A call to the vendor's service, which the server of dstack 0.22.5 answers with 405 as well.
    if (response.url().endsWith('/billing/info')) return;
    if (response.status() >= 400) problems.push(`${response.status()} ${response.url()}`);
  });
});

afterAll(async () => {
  await browser?.close();
  await home?.dispose();
});

interface Named {
  readonly id: string;
}

/** Where RUN, FLEET and INSTANCE in an address lead. */
async function addresses(): Promise<Readonly<Record<string, string>>> {
  const run = await home.api<Named>('/api/project/main/runs/get', { run_name: 'steps' });
  const fleet = await home.api<Named & { instances: Named[] }>('/api/project/main/fleets/get', {
    name: 'default',
  });
  return {
    RUN: `/projects/main/runs/${run.id}`,
    FLEET: `/projects/main/fleets/${fleet.id}`,
    INSTANCE: `/projects/main/instances/${fleet.instances[0]?.id}`,
  };
}

/** Addresses, each with a text that its page shows. */
const PAGES: readonly (readonly [string, string])[] = [
  ['/runs', 'steps'],
  ['/runs/launch', 'CLI'],
  ['RUN', 'steps'],
  ['RUN/logs', 'begun'],
  ['RUN/metrics', 'CPU'],
  ['RUN/events', 'Run submitted'],
  ['RUN/inspect', 'Inspect'],
  ['RUN/jobs/steps-0-0', 'steps-0-0'],
  ['RUN/jobs/steps-0-0/logs', 'begun'],
  ['RUN/jobs/steps-0-0/metrics', 'CPU'],
  ['RUN/jobs/steps-0-0/events', 'Job created'],
  ['/offers', 'Offers'],
  ['/models', 'llama'],
  ['/projects/main/models/model', 'llama'],
  ['/fleets', 'default'],
  ['/projects/main/fleets/add', 'fleet'],
  ['FLEET', 'default'],
  ['FLEET/offers', 'Offers'],
  ['FLEET/events', 'Fleet created'],
  ['FLEET/inspect', 'Inspect'],
  ['/instances', 'default-0'],
  ['INSTANCE', 'default-0'],
  ['INSTANCE/events', 'Instance created'],
  ['INSTANCE/inspect', 'Inspect'],
  ['/volumes', 'data'],
  ['/projects', 'main'],
  ['/projects/add', 'Project'],
  ['/projects/main', 'main'],
  ['/projects/main/backends/add', 'Backend'],
  ['/users', 'admin'],
  ['/users/add', 'User'],
  ['/users/admin', 'admin'],
  ['/users/admin/projects', 'main'],
];

describe.skipIf(client === null)('the official web UI', () => {
  it.each(PAGES)('shows %s, without a failed call', async (path, text) => {
    const places = await addresses();
    await page.goto(home.url + path.replace(/^[A-Z]+/, (name) => places[name] ?? name));
    await page.getByText(text).first().waitFor();
    await page.waitForLoadState('networkidle');
    expect(problems.splice(0)).toEqual([]);
  });
});
