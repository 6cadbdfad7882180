import { CSPProvider } from '@base-ui/react/csp-provider';
import { Tooltip } from '@base-ui/react/tooltip';
import { type QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import type { Live } from '../data/live/live.ts';
import { LiveProvider } from '../data/live/live-context.tsx';
import type { BrowserSession } from '../data/session/session.ts';
import { SessionProvider } from '../data/session/session-context.tsx';
import { AnnouncerProvider } from '../ui/feedback/announcer.tsx';
import { Toaster } from '../ui/toast/toaster.tsx';
import type { createAppRouter } from './router.tsx';

export interface AppProps {
  readonly session: BrowserSession;
  readonly cache: QueryClient;
  readonly live: Live;
  readonly router: ReturnType<typeof createAppRouter>;
  /** The nonce of the page's content security policy; undefined: the page names none. */
  readonly nonce: string | undefined;
}

/** The UI with everything that it needs from outside. */
export function App({ session, cache, live, router, nonce }: AppProps) {
  return (
    <CSPProvider {...(nonce === undefined ? { disableStyleElements: true } : { nonce })}>
      <QueryClientProvider client={cache}>
        <SessionProvider session={session}>
          <LiveProvider live={live}>
            <AnnouncerProvider>
              <Tooltip.Provider delay={350}>
                <RouterProvider router={router} />
                <Toaster />
              </Tooltip.Provider>
            </AnnouncerProvider>
          </LiveProvider>
        </SessionProvider>
      </QueryClientProvider>
    </CSPProvider>
  );
}
