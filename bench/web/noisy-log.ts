/** A tab that follows a job which prints without end. */
import type { Installation } from '@dstack/testkit';
import { jobNode } from '@dstack/testkit/job-programs';
import type { Browser } from 'playwright-core';
import { print } from '../measure.ts';
import { submit } from '../runs.ts';
import { heapMb, openTab, type Profile, smoothness, untilTrue } from './tab.ts';

/** A thousand lines a second for an hour, printed as fast as they are read. */
const AN_HOUR = 3_600_000;
const STEADY_SECONDS = 20;

/** Lines of 80 characters; `pause`: ms between two hundreds. */
const printer = (lines: number, pause: number) =>
  `${jobNode()} -e 'let i = 0; const next = () => { let text = ""; for (let k = 0; k < 100; k++) text += "line " + String(++i).padStart(8) + " ".padEnd(65, "noise ") + "\\n"; process.stdout.write(text, () => { if (i < ${lines}) setTimeout(next, ${pause}); }); }; next();'`;

export async function noisyLog(
  browser: Browser,
  home: Installation,
  profile: Profile,
): Promise<void> {
  await submit(home, 'steady', { commands: [printer(1_000_000, 100)] });
  const steady = await openTab(browser, `${home.url}/projects/main/runs/steady/logs`, profile);
  await steady.page.getByText(/^Live, [1-9]/).waitFor();
  const drawn = await smoothness(steady.page, () =>
    steady.page.waitForTimeout(STEADY_SECONDS * 1000),
  );
  print({ name: 'web: log followed at 1 000 lines/s', unit: 'fps', ...drawn });
  await home.ok('stop', 'steady', '-x', '-y');
  await steady.close();

  await submit(home, 'hour', { commands: [printer(AN_HOUR, 5)] });
  const { page, devtools, close } = await openTab(
    browser,
    `${home.url}/projects/main/runs/hour/logs`,
    profile,
  );
  const started = performance.now();
  await page.getByText(/^Live, [1-9]/).waitFor();
  for (const millions of [0.1, 0.3, 0.6, 1.2, 2.4, 3.59]) {
    const line = millions * 1_000_000;
    await untilTrue(page, `(${LAST_LINE}) >= ${line}`, 250);
    const name = `web: memory of a tab after ${line.toLocaleString('en')} lines of a log`;
    const seconds = Math.round((performance.now() - started) / 1000);
    print({ name, unit: 'MB', value: await heapMb(devtools), seconds });
  }
  const full = await smoothness(page, () => page.waitForTimeout(2000));
  print({ name: 'web: log followed with a full buffer', unit: 'fps', ...full });
  await close();
}

const LAST_LINE = `Number(
  /line +(\\d+)/.exec([...document.querySelectorAll('#main [data-index]')].at(-1)?.textContent ?? '')?.[1] ?? 0
)`;
