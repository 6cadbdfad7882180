/**
 * Answers that take milliseconds of computing, one after another with room between them. The
 * server has one thread: eight lists that arrive together would otherwise be made in one go, and
 * everything small that comes meanwhile would wait for all of them.
 */
import type { EndpointName } from '@dstack/contract/api';

/** Endpoints whose work grows with what is stored. */
const LARGE: ReadonlySet<EndpointName> = new Set<EndpointName>([
  'runs.list',
  'runs.get_plan',
  'fleets.list',
  'fleets.list_all',
  'instances.list',
  'gpus.list',
  'events.list',
  'projects.list',
]);

export function isLarge(endpoint: EndpointName): boolean {
  return LARGE.has(endpoint);
}

/**
 * Resolves in a round of the event loop that no other caller gets, in the order of the calls; what
 * arrived on sockets meanwhile has then been looked at. Nothing is held: a caller that goes on to
 * wait for a database or a backend keeps nobody from starting.
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
