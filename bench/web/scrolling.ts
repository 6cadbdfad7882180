/** How smoothly 10 000 rows and 50 000 lines of a log scroll. */
import type { Installation } from '@dstack/testkit';
import type { Browser, Page } from 'playwright-core';
import { print } from '../measure.ts';
import { finished, submit } from '../runs.ts';
import { openTab, type Profile, smoothness, wheel } from './tab.ts';

const LINES = 50_000;
/** px/s: reading, and looking for something far away. */
const SPEEDS = [3000, 20_000];
const SECONDS = 4;

const FLOOR = `data:text/html,<main id="main" style="height:100vh;overflow:auto"></main><script>
  document.querySelector('main').innerHTML =
    Array.from({ length: 10000 }, (_, i) => '<p style="height:24px;margin:0">' + i + '</p>').join('');
</script>`;

export async function scrolling(
  browser: Browser,
  home: Installation,
  profile: Profile,
): Promise<void> {
  const floor = await openTab(browser, FLOOR);
  await measure(floor.page, 'web: floor: plain paragraphs, 10 000');
  await floor.close();
  await scrollRows(browser, home, profile);
  await scrollLines(browser, home, profile);
}

async function scrollRows(browser: Browser, home: Installation, profile: Profile): Promise<void> {
  const { page, close } = await openTab(browser, `${home.url}/runs`, profile);
  await page.locator('#main tbody a').first().waitFor();
  const started = performance.now();
  const table = page.getByRole('table', { name: 'Runs' });
  await page.mouse.move(700, 500);
  while (Number(await table.getAttribute('aria-rowcount')) <= 10_000) {
    await page.mouse.wheel(0, 1_000_000);
    await page.waitForTimeout(20);
  }
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  print({ name: 'web: 10 000 runs loaded page by page', unit: 's', value: seconds });
  await page.mouse.wheel(0, -10_000_000);
  await page.waitForTimeout(500);
  await measure(page, 'web: scroll of 10 000 runs');
  const box = page.getByRole('searchbox', { name: 'Filter runs' });
  const typing = await smoothness(page, () => box.pressSequentially('run-99', { delay: 120 }));
  print({ name: 'web: filter of 10 000 runs, per key', unit: 'fps', ...typing });
  await close();
}

async function scrollLines(browser: Browser, home: Installation, profile: Profile): Promise<void> {
  const line = 'printf "\\\\033[2mstep %d\\\\033[0m loss \\\\033[36m%d\\\\033[0m rate 2.0e-4\\\\n"';
  await submit(home, 'long-log', {
    commands: [`${line} $(seq 1 ${LINES * 2})`.replaceAll('\\\\', '\\')],
  });
  await finished(home, 'long-log');
  const { page, close } = await openTab(
    browser,
    `${home.url}/projects/main/runs/long-log/logs`,
    profile,
  );
  await page.getByText(/^[\d,]+ lines, /).waitFor();
  await page.mouse.move(700, 500);
  const started = performance.now();
  while (!(await page.getByText('50,000 lines, ').isVisible())) {
    await page.mouse.wheel(0, -10_000_000);
    await page.waitForTimeout(20);
  }
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  print({ name: 'web: 50 000 lines loaded backwards', unit: 's', value: seconds });
  await page.mouse.wheel(0, -10_000_000);
  await page.waitForTimeout(500);
  await measure(page, 'web: scroll of 50 000 lines');
  const box = page.getByRole('searchbox', { name: 'Search the log' });
  const typing = await smoothness(page, () => box.pressSequentially('step 4', { delay: 120 }));
  print({ name: 'web: search in 50 000 lines, per key', unit: 'fps', ...typing });
  await close();
}

async function measure(page: Page, name: string): Promise<void> {
  for (const speed of SPEEDS) {
    const drawn = await smoothness(page, () => wheel(page, speed, SECONDS));
    print({ name: `${name}, ${speed} px/s`, unit: 'fps', ...drawn });
  }
}
