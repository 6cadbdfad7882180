import { once } from 'node:events';
import type { Installation } from '@dstack/testkit';

/**
 * Follows the logs of a run that repeatedly prints the time of the local clock (`date +%s%N`).
 * Returns how long each line took to reach the terminal, in milliseconds.
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
