/** A tab of the measured browser, and what it reports about itself. */
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core';
import { WIDE } from '../../e2e/web/browser.ts';

/** Everything a signed-in user's profile has; a context made of it has an empty cache. */
export type Profile = Awaited<ReturnType<BrowserContext['storageState']>>;

export async function signIn(browser: Browser, url: string, token: string): Promise<Profile> {
  const context = await browser.newContext({ viewport: WIDE });
  const page = await context.newPage();
  await page.goto(`${url}/runs`);
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('#main').waitFor();
  const profile = await context.storageState();
  await context.close();
  return profile;
}

export async function openTab(
  browser: Browser,
  url: string,
  profile?: Profile,
): Promise<{ readonly page: Page; readonly devtools: CDPSession; close(): Promise<void> }> {
  const context = await browser.newContext({
    viewport: WIDE,
    ...(profile === undefined ? {} : { storageState: profile }),
  });
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  if (url !== '') await page.goto(url);
  return { page, devtools, close: () => context.close() };
}

/** Polls an expression on the page, whose policy forbids Playwright's own way to wait for one. */
export async function untilTrue(page: Page, expression: string, everyMs = 20): Promise<void> {
  while (!(await page.evaluate<boolean>(expression))) await page.waitForTimeout(everyMs);
}

/** Memory of the page's scripts after garbage was collected, in MB. */
export async function heapMb(devtools: CDPSession): Promise<number> {
  await devtools.send('HeapProfiler.collectGarbage');
  const { usedSize } = await devtools.send('Runtime.getHeapUsage');
  return Math.round(usedSize / 100_000) / 10;
}

const START_FRAMES = `
  window.benchFrames = [];
  window.benchTasks = [];
  window.benchObserver = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.benchTasks.push(duration);
  });
  window.benchObserver.observe({ type: 'longtask' });
  let last = performance.now();
  const next = (now) => {
    window.benchFrames.push(now - last);
    last = now;
    window.benchFrame = requestAnimationFrame(next);
  };
  window.benchFrame = requestAnimationFrame((now) => { last = now; requestAnimationFrame(next); });
`;
const STOP_FRAMES = `
  cancelAnimationFrame(window.benchFrame);
  window.benchObserver.disconnect();
  ({ frames: window.benchFrames, tasks: window.benchTasks })
`;

export interface Smoothness {
  readonly fps: number;
  /** Frames that took longer than two of 60 a second. */
  readonly framesOver34: number;
  readonly longestFrame: number;
  /** Tasks over 50 ms that blocked the page. */
  readonly longTasks: number;
  readonly longestTask: number;
}

/** How the page draws while `work` goes on. */
export async function smoothness(page: Page, work: () => Promise<unknown>): Promise<Smoothness> {
  await page.evaluate(START_FRAMES);
  await work();
  const { frames, tasks } = await page.evaluate<{ frames: number[]; tasks: number[] }>(STOP_FRAMES);
  const total = frames.reduce((sum, ms) => sum + ms, 0);
  return {
    fps: Math.round((frames.length / total) * 1000),
    framesOver34: frames.filter((ms) => ms > 34).length,
    longestFrame: Math.round(Math.max(0, ...frames)),
    longTasks: tasks.length,
    longestTask: Math.round(Math.max(0, ...tasks)),
  };
}

const STEP_MS = 16;

/** Turns the wheel over the middle of the window at this speed (px/s), negative: up. */
export async function wheel(page: Page, speed: number, seconds: number): Promise<void> {
  await page.mouse.move(700, 500);
  const started = performance.now();
  for (let at = 0; at < seconds * 1000; at = performance.now() - started) {
    await page.mouse.wheel(0, (speed * STEP_MS) / 1000);
    await page.waitForTimeout(STEP_MS);
  }
}
