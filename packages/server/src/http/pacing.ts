/**
 * Runs answers that take milliseconds of computing one after another, with room between them. The
 * server has one thread: without pacing, eight lists that arrive together would be built in one go,
 * and every small request in the meantime would wait for all of them.
 */
import type { EndpointName } from '@dstack/contract/api';

/** Endpoints whose work grows with the amount of stored data. */
const LARGE: ReadonlySet<EndpointName> = new Set<EndpointName>([
  'runs.list',
  'runs.get_plan',
  'explain.plan',
  'queue.list',
  'fleets.list',
  'fleets.list_all',
  'instances.list',
  'instances.recent_use',
  'metrics.history',
  'gpus.list',
  'events.list',
  'projects.list',
  'overview.get',
  'cost.get',
]);

export function isLarge(endpoint: EndpointName): boolean {
  return LARGE.has(endpoint);
}

/**
 * Resolves in a round of the event loop that no other caller gets, in the order of the calls; data
 * that arrived on sockets has then been processed. Nothing is locked: a caller that then waits for
 * a database or a backend does not keep others from starting.
 */
export function pacer(): () => Promise<void> {
  const waiting: (() => void)[] = [];
  const next = () => {
    waiting.shift()?.();
    if (waiting.length > 0) setImmediate(next);
  };
  return () =>
    new Promise((resolve) => {
      if (waiting.push(resolve) === 1) setImmediate(next);
    });
}
