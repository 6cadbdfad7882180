import { once } from 'node:events';
import type { Installation } from '@dstack/testkit';

/**
 * Follows the logs of a run that prints the time by this machine's clock (`date +%s%N`) again and
 * again; answers how long each was on its way to the terminal, in milliseconds.
 */
export async function delaysOfPrintedTimes(home: Installation, run: string): Promise<number[]> {
  const delays: number[] = [];
  const follower = home.spawn(['logs', '-f', run]);
  follower.stdout?.on('data', (chunk) => {
    const now = (performance.timeOrigin + performance.now()) * 1000;
    for (const [text] of String(chunk).matchAll(/\b\d{19}\b/g))
      delays.push((now - Number(text) / 1000) / 1000);
  });
  await once(follower, 'close');
  return delays;
}
