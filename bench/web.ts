/** The web UI in Debian's Chromium, with 10 000 finished runs on the server. */
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { copyRuns, openTestStore } from '@dstack/testkit/many-runs';
import type { Browser } from 'playwright-core';
import { launchBrowser } from '../e2e/web/browser.ts';
import { untilAtRest } from './api.ts';
import { installation } from './installation.ts';
import { applyFleet, finished, submit } from './runs.ts';
import { eventToPixel } from './web/event-to-pixel.ts';
import { coldStart, firstLoad } from './web/first-paint.ts';
import { noisyLog } from './web/noisy-log.ts';
import { openTabs } from './web/open-tabs.ts';
import { scrolling } from './web/scrolling.ts';
import { type Profile, signIn } from './web/tab.ts';

const RUNS = 10_000;

type Part = (browser: Browser, home: Installation, profile: Profile) => Promise<void>;

const PARTS: Readonly<Record<string, Part>> = {
  start: coldStart,
  pixel: eventToPixel,
  scroll: scrolling,
  log: noisyLog,
  tabs: openTabs,
};

/** `part`: only `size`, `start`, `pixel`, `scroll`, `log` or `tabs`. */
export async function web(part?: string): Promise<void> {
  const parts = Object.entries(PARTS).filter(([name]) => part === undefined || name === part);
  if (part === undefined || part === 'size') firstLoad();
  if (parts.length === 0) return;
  // An hour of noise is more than a job may print.
  const home = installation({ DSTACK_SERVER_LOG_QUOTA_PER_JOB_HOUR: '0' });
  const browser = await launchBrowser();
  try {
    await home.startServer();
    await applyFleet(home, '0..3');
    const template = await submit(home, 'template', { commands: ['true'] });
    await finished(home, 'template');
    await untilAtRest(home);
    await home.stopServer();
    const database = join(home.serverDir, 'data', 'dstack.db');
    const store = await openTestStore(`sqlite:///${database}`);
    await copyRuns(store, template, RUNS).finally(() => store.close());
    await home.startServer();
    await untilAtRest(home);
    const profile = await signIn(browser, home.url, home.token());
    for (const [, measure] of parts) await measure(browser, home, profile);
  } finally {
    await browser.close();
    await home.dispose();
  }
}
