import { BEAT_MS, type HubMessage, type TabMessage } from './live-hub.ts';
import type { LiveFeed, LiveListener } from './live-state.ts';

export interface SharedFeedOptions {
  readonly url: string;
  readonly sessionKey: () => string | null;
  readonly onRefused: () => void;
  /** Where there are no shared workers, and where one does not start or has died. */
  readonly own: LiveFeed;
  /** Null: the browser has none. */
  readonly worker?: LiveWorker | null;
  /** Calls regularly, until the returned function is called. */
  readonly every?: (ms: number, run: () => void) => () => void;
}

/** The part of a `SharedWorker` that is used. */
export interface LiveWorker {
  readonly port: {
    onmessage: ((event: MessageEvent<HubMessage>) => void) | null;
    postMessage(message: TabMessage): void;
  };
  onerror: ((event: ErrorEvent) => void) | null;
}

/** Signs of life that a worker may miss; a computer that slept misses one at most. */
const MISSED_BEATS = 4;

/** The stream that all tabs share. */
export function sharedFeed(options: SharedFeedOptions): LiveFeed {
  const { own, worker = sharedWorker() } = options;
  if (worker === null) return own;
  let isDead = false;
  return {
    start(listener) {
      if (isDead) return own.start(listener);
      let stop = followWorker(options, worker, listener, () => {
        isDead = true;
        stop();
        stop = own.start(listener);
      });
      return () => stop();
    },
    retry: () => (isDead ? own.retry() : worker.port.postMessage({ kind: 'retry' })),
  };
}

function followWorker(
  { url, sessionKey, onRefused, every = interval }: SharedFeedOptions,
  worker: LiveWorker,
  listener: LiveListener,
  onDead: () => void,
): () => void {
  const { port } = worker;
  const send = (message: TabMessage) => port.postMessage(message);
  let missed = 0;
  port.onmessage = ({ data }: MessageEvent<HubMessage>) => {
    missed = 0;
    deliver(data, listener, onRefused);
  };
  worker.onerror = onDead;
  const join = () => {
    const key = sessionKey();
    if (key !== null) send({ kind: 'start', url, key });
  };
  const leave = () => send({ kind: 'stop' });
  join();
  const endBeats = every(BEAT_MS, () => {
    missed += 1;
    if (missed > MISSED_BEATS) onDead();
  });
  // A page that the browser keeps for "back" is frozen: it leaves, and joins again.
  const onShow = ({ persisted }: PageTransitionEvent) => {
    if (persisted) join();
  };
  addEventListener('pagehide', leave);
  addEventListener('pageshow', onShow);
  return () => {
    endBeats();
    port.onmessage = null;
    worker.onerror = null;
    leave();
    removeEventListener('pagehide', leave);
    removeEventListener('pageshow', onShow);
  };
}

function deliver(message: HubMessage, listener: LiveListener, onRefused: () => void): void {
  switch (message.on) {
    case 'state':
      listener.onState(message.state);
      break;
    case 'change':
      listener.onChange(message.change);
      break;
    case 'gap':
      listener.onGap();
      break;
    case 'refused':
      onRefused();
      break;
    case 'beat':
      break;
  }
}

function sharedWorker(): LiveWorker | null {
  if (typeof SharedWorker === 'undefined') return null;
  return new SharedWorker(new URL('./live-worker.ts', import.meta.url), {
    type: 'module',
    name: 'dstack-live',
  });
}

function interval(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}
