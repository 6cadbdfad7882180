/** Measures what the server spends on fifty open tabs of one person, and on the streams of fifty people. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import type { Browser } from 'playwright-core';
import { WIDE } from '../../e2e/web/browser.ts';
import { usage } from '../at-rest.ts';
import { print } from '../measure.ts';
import { submit } from '../runs.ts';
import { residentMb } from '../server-start.ts';
import { bareStream } from './event-to-pixel.ts';
import type { Profile } from './tab.ts';

const TABS = 50;
const SECONDS = 20;
const PATHS = ['/runs', '/', '/fleets', '/events', '/projects/main/runs/run-0'];

export async function openTabs(
  browser: Browser,
  home: Installation,
  profile: Profile,
): Promise<void> {
  await measure(home, 'no tabs');
  await withTabs(browser, home, profile, 1, () => measure(home, `${TABS} tabs, one is looked at`));
  await withTabs(browser, home, profile, TABS, () =>
    measure(home, `${TABS} tabs, all are looked at`),
  );
  const streams = await Promise.all(Array.from({ length: TABS }, () => bareStream(home)));
  await measure(home, `${TABS} streams of changes`);
  for (const stream of streams) stream.close();
}

/** Chromium without a screen shows all its tabs; pages believe this instead. */
const HIDE = "Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' })";

/** Tabs of one profile share a connection to the stream of changes. */
async function withTabs(
  browser: Browser,
  home: Installation,
  profile: Profile,
  seen: number,
  work: () => Promise<void>,
): Promise<void> {
  const context = await browser.newContext({ viewport: WIDE, storageState: profile });
  for (let i = 0; i < TABS; i++) {
    const page = await context.newPage();
    if (i >= seen) await page.addInitScript({ content: HIDE });
    await page.goto(home.url + PATHS[i % PATHS.length]);
    await page.locator('[data-state=live]').waitFor();
  }
  await delay(3000);
  await work();
  await context.close();
}

/** At rest, and while a run is submitted every second. */
async function measure(home: Installation, tabs: string): Promise<void> {
  const rest = await cpuPerSecond(home, async () => {});
  const busy = await cpuPerSecond(home, async (second) => {
    await submit(home, `beside-${tabs.length}-${second}`, { commands: ['true'] });
  });
  print({
    name: `web: server with ${tabs}`,
    unit: 'CPU ms/s',
    rest,
    'a run a second': busy,
    MB: residentMb(home.serverPid),
  });
}

async function cpuPerSecond(
  home: Installation,
  each: (second: number) => Promise<void>,
): Promise<number> {
  const before = usage(home.serverPid).cpuMs;
  const started = performance.now();
  for (let second = 0; second < SECONDS; second++) {
    await each(second);
    await delay(Math.max(0, started + (second + 1) * 1000 - performance.now()));
  }
  return Math.round((usage(home.serverPid).cpuMs - before) / SECONDS);
}
