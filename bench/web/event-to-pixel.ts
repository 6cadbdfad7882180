/** From the server's record of an event to the frame that shows it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import type { Browser } from 'playwright-core';
import { print, summary } from '../measure.ts';
import { eventTimes, finished, submit } from '../runs.ts';
import { openTab, type Profile } from './tab.ts';

const RUNS = 60;

/** Notes when each row was first painted with each status: `performance.now` is after the paint. */
const WATCH_ROWS = `
  window.benchSeen = {};
  const look = () => {
    const now = [];
    for (const row of document.querySelectorAll('#main tbody tr')) {
      const [, name, status] = [...row.cells].map((cell) => cell.textContent);
      if (name?.startsWith('pixel-')) now.push(name + ' ' + status);
    }
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => {
        const at = performance.timeOrigin + performance.now();
        for (const text of now) window.benchSeen[text] ??= at;
      };
      channel.port2.postMessage(null);
    });
  };
  new MutationObserver(look).observe(document.querySelector('#main'), {
    subtree: true, childList: true, characterData: true,
  });
`;

export async function eventToPixel(
  browser: Browser,
  home: Installation,
  profile: Profile,
): Promise<void> {
  const { page, close } = await openTab(browser, `${home.url}/runs`, profile);
  await page.locator('[data-state=live]').waitFor();
  await page.locator('#main tbody a').first().waitFor();
  await page.evaluate(WATCH_ROWS);
  const bare = await bareStream(home);
  const ids: [string, string][] = [];
  for (let i = 0; i < RUNS; i++) {
    const name = `pixel-${i}`;
    // Long enough for each status to have a frame of its own.
    ids.push([name, await submit(home, name, { commands: ['sleep 0.3'] })]);
    await finished(home, name);
  }
  await delay(500);
  const seen = await page.evaluate<Record<string, number>>('window.benchSeen');
  await close();
  const stages = [
    ['submitted', /^Run submitted/, / (Submitted|Pending|Provisioning|Queued)/],
    ['running', /^Run status changed .* -> RUNNING/, / Running/],
    ['done', /^Run status changed .* -> DONE/, / Exited \(0\)/],
  ] as const;
  const all: number[] = [];
  const floor: number[] = [];
  const ofBrowser: number[] = [];
  for (const [stage, event, shown] of stages) {
    const samples: number[] = [];
    const bareSamples: number[] = [];
    for (const [name, id] of ids) {
      const happened = (await eventTimes(home, id))(event) / 1000;
      const times = Object.entries(seen)
        .filter(([text]) => text.startsWith(`${name} `) && shown.test(text))
        .map(([, at]) => at);
      const received = bare.received(id, happened);
      if (received !== null) bareSamples.push(received - happened);
      if (times.length === 0) continue;
      const painted = Math.min(...times);
      samples.push(painted - happened);
      if (received !== null) ofBrowser.push(painted - received);
    }
    all.push(...samples);
    floor.push(...bareSamples);
    const name = `web: event to pixel, run ${stage}`;
    print({ name, unit: 'ms', ...summary(samples), 'bare client p50': summary(bareSamples).p50 });
  }
  bare.close();
  print({ name: 'web: event to pixel, all', unit: 'ms', ...summary(all) });
  // The browser takes this time from the arrival of an event to its paint.
  print({ name: 'web: a bare client has it to pixel', unit: 'ms', ...summary(ofBrowser) });
  print({
    name: 'web: floor: event to a bare client of the stream',
    unit: 'ms',
    ...summary(floor),
  });
}

/** A client that does nothing but read the stream of changes. */
export async function bareStream(home: Installation) {
  const leave = new AbortController();
  const response = await fetch(new URL('/api/stream', home.url), {
    headers: { authorization: `Bearer ${home.token()}` },
    signal: leave.signal,
  });
  const seen: { readonly id: string; readonly at: number }[] = [];
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      const at = performance.timeOrigin + performance.now();
      const text = decoder.decode(chunk, { stream: true });
      for (const [, id = ''] of text.matchAll(/"type":"run","id":"([0-9a-f-]+)"/g)) {
        seen.push({ id, at });
      }
    }
  };
  read().catch(() => {});
  return {
    /** The first report about the run after that time; null: none. */
    received: (id: string, after: number): number | null =>
      seen.find((one) => one.id === id && one.at >= after)?.at ?? null,
    close: () => leave.abort(),
  };
}
