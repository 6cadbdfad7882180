import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { isRefusal } from '../data/session/refusal.ts';
import type { BrowserSession } from '../data/session/session.ts';

/** The cache of everything that the server has answered. It is emptied when the user changes. */
export function createCache(session: BrowserSession): QueryClient {
  const onError = (error: unknown): void => {
    // A refused call may mean that the token was revoked, not only that a role is missing.
    if (isRefusal(error)) void session.check();
  };
  const cache = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      // The client repeats calls by itself, and the live feed asks again once the server answers.
      queries: { retry: false, networkMode: 'always', staleTime: 5000 },
      mutations: { networkMode: 'always' },
    },
  });
  session.subscribe(() => {
    if (session.state.kind === 'signed-out') cache.clear();
  });
  return cache;
}
