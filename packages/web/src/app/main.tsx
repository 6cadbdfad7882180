import './styles/base.css';
import './styles/fonts.css';
import './styles/tokens.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createLive } from '../data/live/live.ts';
import { pollingFeed, serverProbe } from '../data/live/polling-feed.ts';
import { sharedFeed } from '../data/live/shared-feed.ts';
import { streamFeed } from '../data/live/stream-feed.ts';
import { createSession } from '../data/session/session.ts';
import { browserKeys } from '../data/session/session-keys.ts';
import { preloadParts } from '../ui/lazy/lazy-part.ts';
import { App } from './app.tsx';
import { createCache } from './cache.ts';
import { installNonce } from './nonce.ts';
import { createAppRouter } from './router.tsx';

const nonce = installNonce(document);
const keys = browserKeys(window);
const session = createSession({ url: location.origin, keys });
const cache = createCache(session);
const onRefused = () => void session.check();
const feed = sharedFeed({
  url: location.origin,
  sessionKey: keys.read,
  onRefused,
  own: streamFeed({
    open: session.client.changes.open,
    fallback: pollingFeed({ probe: () => serverProbe(session.client) }),
    onRefused,
  }),
});
const live = createLive(feed, cache);
const router = createAppRouter();
const place = document.getElementById('root');
if (place === null) throw new Error('index.html has no element with the id `root`');

void session.check();
createRoot(place).render(
  <StrictMode>
    <App session={session} cache={cache} live={live} router={router} nonce={nonce} />
  </StrictMode>,
);

// After the page, loads the code that only a press of a key or button needs. Safari has no idle callbacks.
const whenIdle = window.requestIdleCallback ?? ((run: () => void) => window.setTimeout(run, 1000));
window.addEventListener('load', () => whenIdle(() => void preloadParts()), { once: true });
