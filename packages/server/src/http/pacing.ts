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
  'shares.list',
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
