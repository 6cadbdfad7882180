/** The web UI when something happens in mid-view, and with content that is made to harm. */
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { jobNode } from '@dstack/testkit/job-programs';
import { copyRuns, openTestStore } from '@dstack/testkit/many-runs';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyFleet,
  isFinished,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';
import { applyVolume } from './volumes.ts';
import { launchTestBrowser, type Visitor } from './web/browser.ts';
import { visitorsOf } from './web/visitors.ts';

let installation: Installation;
let browser: Browser;
const { visitor, signedIn } = visitorsOf(
  () => browser,
  () => installation,
);

beforeAll(async () => {
  installation = newInstallation();
  await installation.startServer();
  await applyFleet(installation, '0..8');
  browser = await launchTestBrowser();
});

afterAll(async () => {
  await browser?.close();
  await installation?.dispose();
});

/** Prints a numbered line every 50 ms for ever. */
const COUNTING = ['i=0; while :; do i=$((i + 1)); echo "tick $i"; sleep 0.05; done'];

const lastLine = async (log: Locator): Promise<string> =>
  (await log.locator('[data-index]').last().textContent()) ?? '';

const lineCount = async (page: Page): Promise<number> => {
  const text = (await page.getByText(/^((Live|Offline), )?[\d,]+ lines?/).textContent()) ?? '';
  return Number(/([\d,]+) line/.exec(text)?.[1]?.replaceAll(',', ''));
};

/** Polls what is on the page; the test's own time limit ends it. */
async function until(page: Page, holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await page.waitForTimeout(20);
}

const fromEnd = (log: Locator): Promise<number> =>
  log.evaluate((it) => it.scrollHeight - it.scrollTop - it.clientHeight);

/** Errors in the console of a browser whose server has stopped. */
const NO_SERVER =
  /ERR_CONNECTION_(REFUSED|RESET)|ERR_SOCKS|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE|ERR_NETWORK_IO|50[23]/;

describe('a server that is held, so that its connections stay open', () => {
  it('is reported within half a minute, and the page goes on when it continues', async () => {
    const v = await signedIn('/runs');
    v.expectProblem(NO_SERVER);
    const live = v.page.getByRole('button', { name: 'Live', exact: true });
    await live.waitFor();
    await installation.whileHeld(async () => {
      await v.page.getByText('The server does not answer.').waitFor({ timeout: 40_000 });
      await v.page.getByRole('button', { name: 'Offline', exact: true }).waitFor();
    });
    await v.page.getByText('The server does not answer.').waitFor({ state: 'detached' });
    await live.waitFor();
  });
});

describe('a server that restarts in mid-view', () => {
  it('is reported, and afterwards lists, pages and logs go on where they were', async () => {
    await submit(installation, 'ticking', COUNTING);
    await submit(installation, 'short', ['sleep 3600']);
    await untilRun(installation, 'ticking', isRunning);
    await untilRun(installation, 'short', isRunning);
    const v = await signedIn('/projects/main/runs/ticking/logs');
    v.expectProblem(NO_SERVER);
    const log = v.page.getByRole('region', { name: 'Output of ticking-0-0' });
    await log
      .getByText(/^tick \d+$/)
      .first()
      .waitFor();
    // The end stays in view in a lower window; the report of an absent server takes height as well.
    const seen = await lineCount(v.page);
    await until(v.page, async () => (await lineCount(v.page)) > seen + 40);
    await v.page.setViewportSize({ width: 1280, height: 500 });
    await until(v.page, async () => (await fromEnd(log)) < 30);
    const list = await v.context.newPage();
    await list.goto(`${installation.url}/runs`);
    const row = list.getByRole('row', { name: /short/ });
    await row.getByText('Running').waitFor();
    await installation.stopServer();
    await v.page.getByText('The server does not answer.').waitFor();
    await list.getByText('The server does not answer.').waitFor();
    await row.getByText('Running').waitFor();
    const before = await lineCount(v.page);
    await installation.startServer();
    await installation.ok('stop', 'short', '-y');
    await row.getByText('Stopped').waitFor();
    await v.page.getByText('The server does not answer.').waitFor({ state: 'detached' });
    await until(v.page, async () => (await lineCount(v.page)) > before + 40);
    v.expectNoMore();
    await installation.ok('stop', 'ticking', '-x', '-y');
    await v.page.getByText(/^[\d,]+ lines, /).waitFor();
    // No line is missing and none is there twice: the last lines may still arrive.
    await until(v.page, async () =>
      (await lastLine(log)).endsWith(`tick ${await lineCount(v.page)}`),
    );
  });
});

describe('a page of which a part does not arrive', () => {
  it('loads itself again, and reports when that does not help', async () => {
    const v = await visitor('/');
    v.expectProblem(/ERR_FAILED/);
    const part = /\/assets\/frame-[^/]*\.js/;
    await v.page.route(part, (route) => route.abort('failed'), { times: 1 });
    await v.navigate('/runs');
    await v.page.getByLabel('Token').waitFor();
    await v.page.route(part, (route) => route.abort('failed'));
    await v.navigate('/runs');
    await v.page.getByText('The web UI could not be loaded.').waitFor();
    await v.page.unroute(part);
    await v.page.getByRole('button', { name: 'Load it again' }).click();
    await v.page.getByLabel('Token').waitFor();
    // The next failure has all its tries again.
    expect(await v.page.evaluate("sessionStorage.getItem('dstack-load-again')")).toBeNull();
  });
});

describe('what is deleted in mid-view', () => {
  it('stays readable, and the page reports that it was deleted', async () => {
    await submit(installation, 'ended', ['echo remains']);
    await untilRun(installation, 'ended', isFinished);
    await applyVolume(installation, 'scratch', 'local', 'size: 1GB\n');
    await installation.api('/api/projects/create', { project_name: 'brief' });
    const v = await signedIn('/projects/main/runs/ended');
    // The page asks for what was deleted, once.
    v.expectProblem(/ 40[034]|^40[034] /);
    await v.page.getByText('remains').waitFor();
    await installation.api('/api/project/main/runs/delete', { runs_names: ['ended'] });
    await v.page.getByText('This run was deleted.').waitFor();
    await v.page.getByText('remains').waitFor();
    await v.navigate('/projects/main/volumes/scratch');
    await v.page.getByRole('heading', { level: 1, name: 'scratch' }).waitFor();
    await installation.api('/api/project/main/volumes/delete', { names: ['scratch'] });
    await v.page
      .getByText(/was deleted/)
      .first()
      .waitFor();
    await v.navigate('/projects/brief');
    await v.page.getByRole('heading', { level: 1, name: 'brief' }).waitFor();
    await installation.api('/api/projects/delete', { projects_names: ['brief'] });
    await v.page.getByRole('link', { name: 'Members' }).click();
    await v.page
      .getByText(/was deleted|There is no project|does not exist/)
      .first()
      .waitFor();
  });

  it('a token that is revoked ends the shell that it opened', async () => {
    await submit(installation, 'shared', ['sleep 3600']);
    await untilRun(installation, 'shared', isRunning);
    await installation.api('/api/users/create', { username: 'mallory', global_role: 'admin' });
    const { creds } = await installation.api<{ creds: { token: string } }>('/api/users/get_user', {
      username: 'mallory',
    });
    const v = await visitor('/projects/main/runs/shared/terminal');
    v.expectProblem(/40[013]/);
    await v.signIn(creds.token);
    await v.page.getByText('Connected').waitFor();
    const closed = new Promise((resolve) =>
      v.page.on('websocket', (socket) => socket.on('close', resolve)),
    );
    await v.page.reload();
    await v.page.getByText('Connected').waitFor();
    await installation.api('/api/users/refresh_token', { username: 'mallory' });
    await v.page.getByText(/Your session has ended/).waitFor();
    await closed;
  });
});

const IMAGE_TAG = '<img src=x onerror="window.harmed=1">';
const RIGHT_TO_LEFT = '\u202egpj.exe\u2066';

/** None of the texts became markup, and nothing of them was carried out. */
async function expectUnharmed({ page }: Visitor): Promise<void> {
  const found = await page.evaluate(
    "[window.harmed, document.querySelectorAll('img, iframe, #main a[href^=javascript]').length, document.title.includes('harmed')].join()",
  );
  expect([page.url(), found]).toEqual([page.url(), ',0,false']);
}

describe('content that is made to harm', () => {
  const hostile = [
    `echo '${IMAGE_TAG}'`,
    "printf '\\033]0;harmed\\007\\033]8;;javascript:window.harmed=1\\007link\\033]8;;\\007 \\033[2J\\033[1;1Hafter\\n'",
    `echo '${RIGHT_TO_LEFT}'`,
    "head -c 1048576 /dev/zero | tr '\\0' x; echo",
    "head -c 3000 /dev/urandom; echo; echo 'the last line'",
    `exit 3 # ${IMAGE_TAG}`,
  ];

  it('is text everywhere: in logs, configurations, errors, names and events', async () => {
    await submit(installation, 'hostile', hostile, `env: {NOTE: '${IMAGE_TAG}'}\n`);
    await untilRun(installation, 'hostile', isFinished);
    const v = await signedIn('/projects/main/runs/hostile/logs');
    v.expectProblem(/\b4(00|22)\b/);
    const log = v.page.getByRole('region', { name: 'Output of hostile-0-0' });
    await log.getByText('the last line').waitFor();
    await v.page.getByRole('searchbox', { name: 'Search the log' }).fill('onerror');
    await v.page.getByText(/^\d+ hits?$/).waitFor();
    await v.page.keyboard.press('Enter');
    await log.getByText('⟨U+202E⟩').first().waitFor();
    expect(await v.page.evaluate('document.body.textContent.length < 200000')).toBe(true);
    await expectUnharmed(v);
    for (const [part, shown] of [
      ['', 'Why it ended'],
      ['/configuration', '⟨U+202E⟩'],
      ['/events', 'Run submitted'],
      ['/inspect', 'run_spec'],
    ]) {
      await v.navigate(`/projects/main/runs/hostile${part}`);
      await v.page
        .getByText(shown ?? '')
        .first()
        .waitFor();
      await expectUnharmed(v);
    }
    await v.navigate('/runs/launch');
    const editor = v.page.getByRole('textbox', { name: 'Configuration in YAML' });
    await editor.click();
    await v.page.keyboard.press('ControlOrMeta+a');
    await v.page.keyboard.insertText(`type: task\nname: '${IMAGE_TAG}'\n'${IMAGE_TAG}': 1\n`);
    await v.page
      .getByText(/Line \d/)
      .first()
      .waitFor();
    await expectUnharmed(v);
    await v.navigate('/users/admin/public-keys');
    await v.page.getByRole('button', { name: 'Add' }).click();
    const dialog = v.page.getByRole('dialog');
    await dialog.getByLabel('Public key').fill(`ssh-ed25519 ${'A'.repeat(68)} ${IMAGE_TAG}`);
    await dialog.getByRole('button', { name: 'Add' }).click();
    await dialog.getByRole('alert').first().waitFor();
    await expectUnharmed(v);
  });
});

describe('a job that prints a thousand lines a second', () => {
  it('is followed, holds the line that is read, and is complete at its end', async () => {
    const program =
      'let i = 0; const t = setInterval(() => { for (let k = 0; k < 50; k++) console.log("noise " + ++i); if (i >= 12000) clearInterval(t); }, 50);';
    await submit(installation, 'noisy', [`${jobNode()} -e '${program}'`]);
    await untilRun(installation, 'noisy', isRunning);
    const v = await signedIn('/projects/main/runs/noisy/logs');
    const log = v.page.getByRole('region', { name: 'Output of noisy-0-0' });
    await until(v.page, async () => (await lineCount(v.page)) > 2000);
    const box = await log.boundingBox();
    await v.page.mouse.move((box?.x ?? 0) + 100, (box?.y ?? 0) + 100);
    await v.page.mouse.wheel(0, -2000);
    await v.page.getByRole('button', { name: /new lines?$/ }).waitFor();
    const held = await log.locator('[data-index]').nth(40).textContent();
    const line = log.getByText(held ?? '', { exact: true });
    // Scrolling is smooth: it ends some frames after the wheel.
    let place = await line.boundingBox();
    await until(v.page, async () => {
      const before = place;
      place = await line.boundingBox();
      return before?.y === place?.y;
    });
    const seen = await lineCount(v.page);
    await until(v.page, async () => (await lineCount(v.page)) > seen + 2000);
    expect(await line.boundingBox()).toEqual(place);
    await v.page.keyboard.press('f');
    await v.page.getByText('12,000 lines, ').waitFor();
    await log.getByText('noise 12000', { exact: true }).waitFor();
    expect(await lastLine(log)).toContain('noise 12000');
    expect(await v.page.getByRole('button', { name: /new lines?$|To the end/ }).count()).toBe(0);
  });
});

describe('without a mouse', () => {
  it('a run is launched, its log is read, and it is stopped', async () => {
    const v = await signedIn('/');
    const { page } = v;
    const { keyboard } = page;
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    await keyboard.press('c');
    const editor = page.getByRole('textbox', { name: 'Configuration in YAML' });
    await editor.waitFor();
    await untilFocused(v, editor);
    await keyboard.press('ControlOrMeta+a');
    await keyboard.insertText(
      'type: task\nname: by-keys\ncommands:\n  - echo by keys alone\n  - sleep 3600\nresources:\n  gpu: 0\n',
    );
    await page.locator('[aria-busy=false]').getByText('A new run is created.').waitFor();
    await keyboard.press('ControlOrMeta+Enter');
    await page.getByRole('heading', { level: 1, name: 'by-keys' }).waitFor();
    await page.getByText('Running').first().waitFor();
    await keyboard.press('l');
    await page
      .getByRole('region', { name: 'Output of by-keys-0-0' })
      .getByText('by keys alone', { exact: true })
      .waitFor();
    await keyboard.press('s');
    await page.getByRole('dialog', { name: 'Stop by-keys?' }).waitFor();
    await untilFocused(v, page.getByRole('dialog').getByRole('button', { name: 'Stop' }));
    await keyboard.press('Enter');
    await page.getByText('Stopped').first().waitFor();
  });

  /** Moves the focus like a user without a mouse. */
  async function untilFocused({ page }: Visitor, target: Locator): Promise<void> {
    for (let presses = 0; presses < 60; presses += 1) {
      if ((await target.and(page.locator(':focus')).count()) === 1) return;
      await page.keyboard.press('Tab');
    }
    throw new Error('60 presses of Tab do not lead to it');
  }
});

describe('10 000 runs', () => {
  it('are searched back to the oldest match, scrolled through, and never drawn all at once', async () => {
    await submit(installation, 'template', ['true']);
    const { id } = await untilRun(installation, 'template', isFinished);
    await installation.stopServer();
    const database = join(installation.serverDir, 'data', 'dstack.db');
    const store = await openTestStore(`sqlite:///${database}`);
    await copyRuns(store, id, 10_000).finally(() => store.close());
    await installation.startServer();
    const v = await signedIn('/runs');
    await v.page.getByText('run-9999').waitFor();
    await v.page.getByRole('searchbox', { name: 'Filter runs' }).fill('run-42 exited');
    await v.page.getByRole('link', { name: 'run-4299' }).waitFor();
    await v.page.getByRole('searchbox', { name: 'Filter runs' }).fill('');
    await v.page.getByText('run-9999').waitFor();
    const table = v.page.getByRole('table', { name: 'Runs' });
    expect(Number(await table.getAttribute('aria-rowcount'))).toBeGreaterThan(5700);
    await until(v.page, async () => {
      await v.page.mouse.move(700, 500);
      await v.page.mouse.wheel(0, 20_000);
      return (await table.getByRole('link', { name: /^run-4[0-2]/ }).count()) > 0;
    });
    expect(await table.getByRole('row').count()).toBeLessThan(100);
    await v.page.getByRole('combobox', { name: 'Status' }).click();
    await v.page.getByRole('option', { name: 'Active' }).click();
    await v.page.getByRole('link', { name: 'shared' }).waitFor();
    await v.page.getByRole('link', { name: 'run-9999' }).waitFor({ state: 'detached' });
  }, 180_000);
});
