import type { Installation } from '@dstack/testkit';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { applyFleet, newInstallation, submit, untilRun } from './installation.ts';
import { launchTestBrowser, Visitor } from './web/browser.ts';

/** The pages about capacity, accounts and the server, on a real server. */
let installation: Installation;
let browser: Browser;
const visitors: Visitor[] = [];

beforeAll(async () => {
  installation = newInstallation();
  await installation.startServer();
  await applyFleet(installation, '0..4');
  await submit(installation, 'steps', ['sleep 3600']);
  await untilRun(installation, 'steps', (run) => run.status === 'running');
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

async function signedIn(path: string): Promise<Visitor> {
  const opened = await Visitor.open(browser, installation.url);
  visitors.push(opened);
  await opened.navigate(path);
  await opened.signIn(installation.token());
  return opened;
}

it('a fleet is planned before it is created, and appears in lists and events', async () => {
  const v = await signedIn('/fleets');
  await v.page.getByRole('link', { name: 'New fleet' }).click();
  await v.page.getByRole('radio', { name: 'YAML' }).check();
  const text = v.page.getByLabel('Configuration');
  v.expectProblem(/422/);
  await text.fill('type: fleet\nname: spare\nnodes: many');
  await v.page.getByRole('button', { name: 'Show the plan' }).click();
  await v.page.getByText(/Line 3: nodes/).waitFor();
  await text.fill('type: fleet\nname: spare\nnodes: 0..1\nresources:\n  gpu: 0');
  await v.page.getByRole('button', { name: 'Show the plan' }).click();
  await v.page.getByText(/Instances are created when runs need them/).waitFor();
  await v.page.getByRole('button', { name: 'Create the fleet' }).click();
  await v.page.getByRole('heading', { level: 1, name: 'spare' }).waitFor();
  await v.navigate('/projects/main/fleets/default');
  const hosts = v.page.getByRole('list', { name: 'Hosts' });
  await hosts.getByRole('link', { name: 'steps' }).waitFor();
  await hosts
    .getByRole('link', { name: /^default-/ })
    .first()
    .click();
  await v.page.getByRole('region', { name: 'Health' }).waitFor();
  await v.navigate('/fleets');
  await v.page.getByRole('checkbox', { name: 'Select spare' }).click();
  await v.page.getByRole('button', { name: 'Delete' }).click();
  await v.page
    .getByRole('dialog', { name: 'Delete fleet spare?' })
    .getByRole('button', { name: 'Delete' })
    .click();
  await v.page.getByRole('link', { name: 'spare' }).waitFor({ state: 'detached' });
  await v.navigate('/events?type=fleet');
  await v.page.getByRole('link', { name: 'fleet spare' }).first().waitFor();
});

it('accounts and projects are managed without a command line', async () => {
  const v = await signedIn('/users');
  const { page } = v;
  const dialog = (name: string) => page.getByRole('dialog', { name });
  const submit = (name: string, button: string) =>
    dialog(name).getByRole('button', { name: button }).click();
  await page.getByRole('button', { name: 'New user' }).click();
  await dialog('New user').getByLabel('User name').fill('ann');
  await submit('New user', 'Create');
  const token = await dialog('The token of ann').locator('code').textContent();
  await submit('The token of ann', 'Done');
  const ann = await Visitor.open(browser, installation.url);
  visitors.push(ann);
  ann.expectProblem(/40[013]/);
  await ann.navigate('/projects/main');
  await ann.signIn(token ?? '');
  await ann.page.getByRole('heading', { level: 1 }).waitFor();
  await v.navigate('/projects/main/members');
  await page.getByRole('button', { name: 'Add' }).click();
  await dialog('Add a member to main')
    .getByLabel(/User name/)
    .fill('ann');
  await submit('Add a member to main', 'Add');
  await page.getByRole('button', { name: 'Remove ann' }).waitFor();
  await ann.navigate('/projects/main/secrets');
  await ann.page.getByText('This needs the role manager in the project').first().waitFor();
  await v.navigate('/projects/main/secrets');
  await page.getByRole('button', { name: 'Add' }).click();
  await dialog('Add a secret').getByLabel('Name').fill('HF_TOKEN');
  await dialog('Add a secret').getByLabel('Value').fill('hf-secret-value');
  await submit('Add a secret', 'Save');
  await page.getByRole('button', { name: 'Delete HF_TOKEN' }).waitFor();
  await v.navigate('/users/ann');
  await page.getByRole('button', { name: 'Deactivate' }).click();
  await submit('Deactivate ann?', 'Deactivate');
  await page.getByText('deactivated').first().waitFor();
  await ann.page.getByRole('heading', { name: 'Sign in' }).waitFor();
});
