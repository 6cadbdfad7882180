import type { HubMessage, TabMessage } from './live-hub.ts';
import type { LiveFeed } from './live-state.ts';

export interface SharedFeedOptions {
  readonly url: string;
  readonly sessionKey: () => string | null;
  readonly onRefused: () => void;
  /** Where there are no shared workers. */
  readonly own: LiveFeed;
}

/** The stream that all tabs share. */
export function sharedFeed({ url, sessionKey, onRefused, own }: SharedFeedOptions): LiveFeed {
  if (typeof SharedWorker === 'undefined') return own;
  const worker = new SharedWorker(new URL('./live-worker.ts', import.meta.url), {
    type: 'module',
    name: 'dstack-live',
  });
  const { port } = worker;
  const send = (message: TabMessage) => port.postMessage(message);
  return {
    start(listener) {
      port.onmessage = ({ data }: MessageEvent<HubMessage>) => {
        switch (data.on) {
          case 'state':
            return listener.onState(data.state);
          case 'change':
            return listener.onChange(data.change);
          case 'gap':
            return listener.onGap();
          case 'refused':
            return onRefused();
        }
      };
      const join = () => {
        const key = sessionKey();
        if (key !== null) send({ kind: 'start', url, key });
      };
      const leave = () => send({ kind: 'stop' });
      join();
      // A page that the browser keeps for "back" is frozen: it leaves, and joins again.
      const onShow = ({ persisted }: PageTransitionEvent) => {
        if (persisted) join();
      };
      addEventListener('pagehide', leave);
      addEventListener('pageshow', onShow);
      return () => {
        leave();
        removeEventListener('pagehide', leave);
        removeEventListener('pageshow', onShow);
      };
    },
    retry: () => send({ kind: 'retry' }),
  };
}
