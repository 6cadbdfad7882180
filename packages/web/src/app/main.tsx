import './styles/base.css';
import './styles/fonts.css';
import './styles/tokens.css';
import { CSPProvider } from '@base-ui/react/csp-provider';
import { Tooltip } from '@base-ui/react/tooltip';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createLive } from '../data/live/live.ts';
import { LiveProvider } from '../data/live/live-context.tsx';
import { pollingFeed } from '../data/live/polling-feed.ts';
import { createSession } from '../data/session/session.ts';
import { SessionProvider } from '../data/session/session-context.tsx';
import { AnnouncerProvider } from '../ui/feedback/announcer.tsx';
import { ToastProvider } from '../ui/toast/toaster.tsx';
import { createCache } from './cache.ts';
import { installNonce } from './nonce.ts';
import { createAppRouter } from './router.tsx';

const nonce = installNonce(document);
const session = createSession({ url: location.origin });
const cache = createCache(session);
const live = createLive(pollingFeed({ probe: () => session.client.server.info() }), cache);
const router = createAppRouter();
const place = document.getElementById('root');
if (place === null) throw new Error('index.html has no element with the id `root`');

createRoot(place).render(
  <StrictMode>
    <CSPProvider {...(nonce === undefined ? { disableStyleElements: true } : { nonce })}>
      <QueryClientProvider client={cache}>
        <SessionProvider session={session}>
          <LiveProvider live={live}>
            <AnnouncerProvider>
              <ToastProvider>
                <Tooltip.Provider delay={350}>
                  <RouterProvider router={router} />
                </Tooltip.Provider>
              </ToastProvider>
            </AnnouncerProvider>
          </LiveProvider>
        </SessionProvider>
      </QueryClientProvider>
    </CSPProvider>
  </StrictMode>,
);
