import './styles/base.css';
import './styles/fonts.css';
import './styles/tokens.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createLive } from '../data/live/live.ts';
import { pollingFeed } from '../data/live/polling-feed.ts';
import { createSession } from '../data/session/session.ts';
import { browserKeys } from '../data/session/session-keys.ts';
import { App } from './app.tsx';
import { createCache } from './cache.ts';
import { installNonce } from './nonce.ts';
import { createAppRouter } from './router.tsx';

const nonce = installNonce(document);
const session = createSession({ url: location.origin, keys: browserKeys(window) });
const cache = createCache(session);
const live = createLive(pollingFeed({ probe: () => session.client.server.info() }), cache);
const router = createAppRouter();
const place = document.getElementById('root');
if (place === null) throw new Error('index.html has no element with the id `root`');

void session.check();
createRoot(place).render(
  <StrictMode>
    <App session={session} cache={cache} live={live} router={router} nonce={nonce} />
  </StrictMode>,
);
