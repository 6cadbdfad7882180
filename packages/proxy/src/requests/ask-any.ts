/** Services that serve the same model: any of them may answer a request. */
import type { Dispatcher } from 'undici';
import { ProxyRefusal } from '../refusals/refusal.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import type { Question } from './requests.ts';
import type { ServiceProxy } from './service-proxy.ts';

export interface Routed {
  readonly route: ServiceRoute;
}

/**
 * The order in which to try them: those with replicas that accept requests, the least loaded first, then
 * those whose replicas have failed, then those that start on request, then others, whose refusal has the
 * cause. Services of one rank and load stay as they are.
 */
export function inOrderOfTrial<T extends Routed>(
  services: readonly T[],
  proxy: Pick<ServiceProxy, 'load' | 'accepts'>,
): T[] {
  return services
    .map((one) => ({ one, rank: rankOf(one.route, proxy), load: proxy.load(one.route) }))
    .sort((a, b) => a.rank - b.rank || a.load - b.load)
    .map(({ one }) => one);
}

function rankOf(route: ServiceRoute, proxy: Pick<ServiceProxy, 'accepts'>): number {
  if (route.replicas.length > 0) return proxy.accepts(route) ? 0 : 1;
  return route.mayBeEmpty ? 2 : 3;
}

/** No replica has received the request: another service may answer it. */
const UNSENT: ReadonlySet<string | null> = new Set(['connection_refused', 'no_connection']);

/**
 * The first answer that one of them begins. A service that cannot be reached is not waited for while another
 * may answer. Throws the `ProxyRefusal` of the first one if there is no answer, rather one that reports when to
 * try again.
 */
export async function askAny<T extends Routed>(
  proxy: Pick<ServiceProxy, 'ask'>,
  services: readonly T[],
  question: (one: T) => Question,
): Promise<Dispatcher.ResponseData> {
  const refusals: ProxyRefusal[] = [];
  const unreached: T[] = [];
  const ask = async (one: T, isPatient: boolean): Promise<Dispatcher.ResponseData | null> => {
    const asked = question(one);
    try {
      return await proxy.ask(one.route, { ...asked, isPatient });
    } catch (error) {
      if (!(error instanceof ProxyRefusal)) throw error;
      const isUnsent = UNSENT.has(error.code);
      if ((error.status !== 503 && !isUnsent) || asked.client.destroyed) throw error;
      refusals.push(error);
      if (isUnsent && !isPatient) unreached.push(one);
      return null;
    }
  };
  for (const one of services) {
    const answer = await ask(one, services.length === 1);
    if (answer !== null) return answer;
  }
  for (const one of unreached) {
    const answer = await ask(one, true);
    if (answer !== null) return answer;
  }
  const [first] = refusals;
  throw refusals.find(({ retryAfter }) => retryAfter !== null) ?? first ?? new Error('no service');
}
