/**
 * The shared worker of all tabs: it holds the one stream of changes, as browsers allow six connections to a
 * server. Sessions are kept apart by their key.
 */
import { createClient, fetchExchange } from '@dstack/client';
import { BEAT_MS, LiveHub, type TabMessage } from './live-hub.ts';
import { pollingFeed, serverProbe } from './polling-feed.ts';
import { streamFeed } from './stream-feed.ts';

const hubs = new Map<string, LiveHub>();

function hubOf(url: string, key: string): LiveHub {
  const known = hubs.get(key);
  if (known !== undefined) return known;
  const client = createClient({
    url,
    token: null,
    sessionKey: () => key,
    exchange: fetchExchange,
  });
  const hub = new LiveHub((onRefused) =>
    streamFeed({
      open: client.changes.open,
      fallback: pollingFeed({ probe: () => serverProbe(client), isHidden: () => false }),
      onRefused,
    }),
  );
  hubs.set(key, hub);
  return hub;
}

// A tab that receives nothing from its worker goes on without it.
setInterval(() => {
  for (const hub of hubs.values()) hub.beat();
}, BEAT_MS);

addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports;
  if (port === undefined) return;
  let hub: LiveHub | null = null;
  const leave = () => {
    hub?.remove(port);
    for (const [key, one] of hubs) if (!one.isUsed) hubs.delete(key);
    hub = null;
  };
  port.onmessage = ({ data }: MessageEvent<TabMessage>) => {
    if (data.kind === 'retry') hub?.retry();
    else leave();
    if (data.kind !== 'start') return;
    hub = hubOf(data.url, data.key);
    hub.add(port);
  };
});
