/** Asks nginx what it has counted. */
import type { PushedService } from '../worker/protocol.ts';
import type { Control } from './plain-control.ts';
import { type Tick, tickOf } from './plain-counts.ts';

/** Runs in one question: a process of nginx answers no request meanwhile. */
const AT_ONCE = 200;

/**
 * `seen`: see `PlainCounts.seen`. `leaseMs`: for how long nginx may answer requests by its table; 0 = workers answer all of
 * them from now on.
 */
export async function askTick(
  control: Control,
  services: readonly PushedService[],
  { seen, leaseMs }: { readonly seen: (runId: string) => string; readonly leaseMs: number },
): Promise<Tick> {
  const runs = services.map(
    ({ route: { runId, replicas } }) =>
      `${runId}\t${seen(runId)}\t${replicas.map(({ jobId }) => jobId).join(',')}`,
  );
  const texts: string[] = [];
  for (let from = 0; from === 0 || from < runs.length; from += AT_ONCE) {
    const lines = [leaseMs, ...runs.slice(from, from + AT_ONCE)].join('\n');
    texts.push(await control(from === 0 ? '/tick' : '/tick?more', lines));
  }
  return tickOf(texts.join('\n'));
}
