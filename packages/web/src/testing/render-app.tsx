import type { Client } from '@dstack/client';
import { createMemoryHistory } from '@tanstack/react-router';
import { render } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import { App } from '../app/app.tsx';
import { createCache } from '../app/cache.ts';
import { createAppRouter } from '../app/router.tsx';
import { createLive } from '../data/live/live.ts';
import type { LiveFeed, LiveListener } from '../data/live/live-state.ts';
import type { BrowserSession, SessionState } from '../data/session/session.ts';

const USER = {
  id: 'u1',
  username: 'ada',
  global_role: 'admin',
  email: null,
  active: true,
  created_at: null,
  permissions: { can_create_projects: true },
  ssh_public_key: null,
} as const;

type Deep<T> = { readonly [K in keyof T]?: T[K] extends object ? Deep<T[K]> | T[K] : T[K] };

export interface AppWorld {
  readonly user: ReturnType<typeof userEvent.setup>;
  readonly live: LiveListener;
  readonly setSession: (state: SessionState) => void;
  readonly path: () => string;
}

/** The whole UI at an address, on a client whose answers the test states. */
export async function renderApp(
  path: string,
  client: Deep<Client> & { readonly project?: (name: string) => unknown },
  state: SessionState = { kind: 'signed-in', user: USER },
  session: Partial<BrowserSession> = {},
): Promise<AppWorld> {
  const listeners = new Set<() => void>();
  let current = state;
  const setSession = (next: SessionState) => {
    current = next;
    for (const listener of listeners) listener();
  };
  const defaults = {
    projects: { list: async () => [] },
    server: { listEvents: async () => [] },
    listRuns: async () => [],
  };
  const whole: BrowserSession = {
    get state() {
      return current;
    },
    client: { ...defaults, ...client } as unknown as Client,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    check: async () => {},
    signIn: async () => setSession({ kind: 'signed-in', user: USER }),
    signInThrough: async () => setSession({ kind: 'signed-in', user: USER }),
    beforeSignOut: () => () => {},
    signOut: async () => setSession({ kind: 'signed-out', reason: 'left' }),
    ...session,
  };
  let listener: LiveListener = { onState: () => {}, onChange: () => {}, onGap: () => {} };
  const feed: LiveFeed = {
    start(given) {
      listener = given;
      return () => {};
    },
    retry: () => {},
  };
  const cache = createCache(whole);
  const router = createAppRouter(createMemoryHistory({ initialEntries: [path] }));
  const user = userEvent.setup();
  await router.load();
  render(
    <App
      session={whole}
      cache={cache}
      live={createLive(feed, cache)}
      router={router}
      nonce={undefined}
    />,
  );
  return {
    user,
    get live() {
      return listener;
    },
    setSession,
    path: () => router.state.location.href,
  };
}
