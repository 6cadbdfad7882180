/** Memory of the server under many minutes of mixed load: it must stop growing. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import type { ApiCall } from './api.ts';
import { print } from './measure.ts';
import { finished, submit } from './runs.ts';
import { residentMb } from './server-start.ts';

const CALLERS = 8;
const PAGE = 100;

/** All calls in turn, with one caller that pages through all runs and one that submits runs. */
export async function soak(
  home: Installation,
  minutes: number,
  calls: readonly ApiCall[],
): Promise<void> {
  const until = performance.now() + minutes * 60_000;
  const going = () => performance.now() < until;
  let requests = 0;
  const asking = Array.from({ length: CALLERS }, async (_, caller) => {
    for (let i = caller; going(); i++) {
      const [, path, body] = calls[i % calls.length] ?? ['', ''];
      await home.api(path, body);
      requests++;
    }
  });
  const work = Promise.all([...asking, paging(home, going), submitting(home, going)]);
  const memory = () => residentMb(home.serverPid);
  print({ name: 'API under load: memory at the start', unit: 'MB', value: memory() });
  for (let minute = 1; minute <= minutes; minute++) {
    await Promise.race([work, delay(60_000)]);
    const name = `API under load: memory after ${minute} min`;
    print({ name, unit: 'MB', value: memory(), requests });
  }
  await work;
  await delay(10_000);
  print({ name: 'API after the load: memory', unit: 'MB', value: memory(), requests });
}

/** From the newest run to the oldest and again, so that no request repeats the previous page. */
async function paging(home: Installation, going: () => boolean): Promise<void> {
  let after = {};
  while (going()) {
    const runs = await home.api<{ id: string; submitted_at: string }[]>('/api/runs/list', {
      limit: PAGE,
      ...after,
    });
    const last = runs.at(-1);
    after = last ? { prev_submitted_at: last.submitted_at, prev_run_id: last.id } : {};
  }
}

async function submitting(home: Installation, going: () => boolean): Promise<void> {
  for (let i = 0; going(); i++) {
    await submit(home, `soak-${i}`, { commands: ['true'] });
    await finished(home, `soak-${i}`);
  }
}
