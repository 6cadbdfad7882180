/** Measures the bytes that each page loads first, and when it is painted and usable on a cold start. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Installation } from '@dstack/testkit';
import type { Browser } from 'playwright-core';
import { FirstLoads } from '../../e2e/web/first-load.ts';
import { print, summary } from '../measure.ts';
import { openTab, type Profile, untilTrue } from './tab.ts';

const TIMES = 10;

/** Bytes by page. Every page has the frame around it. */
export function firstLoad(): void {
  const loads = new FirstLoads();
  const kB = (bytes: number) => Math.round(bytes / 100) / 10;
  const sizes = loads.pages.map((page) => [page, loads.size(page, 'js')] as const);
  sizes.sort(([, a], [, b]) => b - a);
  for (const [page, js] of sizes) {
    const name = `web: first load of ${page.replace('src/pages/', '').replace('.tsx', '')}`;
    print({ name, unit: 'kB gzip', scripts: kB(js), styles: kB(loads.size(page, 'css')) });
  }
}

const MARK_SHOWN = (selector: string) => `
  const look = () => {
    if (document.querySelector(${JSON.stringify(selector)})) {
      window.benchShown = performance.now();
      return;
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
`;

/** New profiles without a cache: the first paint, and the first frame with the list's rows. */
export async function coldStart(
  browser: Browser,
  home: Installation,
  profile: Profile,
): Promise<void> {
  const pages = [
    ['/runs', '#main tbody a'],
    ['/', '#main section'],
    ['/projects/main/runs/run-0', '#main section'],
  ] as const;
  for (const [path, selector] of pages) {
    const { paints, shown } = await starts(browser, home.url + path, selector, profile);
    print({ name: `web: cold start of ${path}, first paint`, unit: 'ms', ...summary(paints) });
    print({ name: `web: cold start of ${path}, content usable`, unit: 'ms', ...summary(shown) });
  }
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>floor</title><main id="main"><h1>floor</h1></main>');
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  const { paints } = await starts(browser, `http://127.0.0.1:${port}/`, '#main');
  print({ name: 'web: floor: first paint of one heading', unit: 'ms', ...summary(paints) });
  server.close();
  server.closeAllConnections();
}

async function starts(browser: Browser, url: string, selector: string, profile?: Profile) {
  const paints: number[] = [];
  const shown: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    const { page, close } = await openTab(browser, '', profile);
    await page.addInitScript({ content: MARK_SHOWN(selector) });
    await page.goto(url);
    const painted = "performance.getEntriesByName('first-contentful-paint')";
    await untilTrue(page, `window.benchShown !== undefined && ${painted}.length > 0`);
    paints.push(await page.evaluate<number>(`${painted}[0].startTime`));
    shown.push(await page.evaluate<number>('window.benchShown'));
    await close();
  }
  return { paints, shown };
}
