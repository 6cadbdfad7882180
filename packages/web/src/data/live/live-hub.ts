import type { LiveFeed, LiveListener, LiveState } from './live-state.ts';

/** A message from a tab to the worker. */
export type TabMessage =
  | { readonly kind: 'start'; readonly url: string; readonly key: string }
  | { readonly kind: 'stop' }
  | { readonly kind: 'retry' };

/** A message from the worker to its tabs. */
export type HubMessage =
  | { readonly on: 'state'; readonly state: LiveState }
  | { readonly on: 'change'; readonly change: Parameters<LiveListener['onChange']>[0] }
  | { readonly on: 'gap' }
  | { readonly on: 'refused' }
  /** The worker is alive. */
  | { readonly on: 'beat' };

/** Between two signs of life of the worker. */
export const BEAT_MS = 5000;

export interface HubPort {
  postMessage(message: HubMessage): void;
}

/** One stream for all tabs of a session; it begins with the first tab and ends with the last one. */
export class LiveHub {
  readonly #feed: LiveFeed;
  readonly #ports = new Set<HubPort>();
  #stop: (() => void) | null = null;
  #state: LiveState = { kind: 'connecting' };

  constructor(createFeed: (onRefused: () => void) => LiveFeed) {
    this.#feed = createFeed(() => this.#send({ on: 'refused' }));
  }

  get isUsed(): boolean {
    return this.#ports.size > 0;
  }

  add(port: HubPort): void {
    this.#ports.add(port);
    port.postMessage({ on: 'state', state: this.#state });
    if (this.#stop === null) {
      this.#stop = this.#feed.start({
        onState: (state) => {
          this.#state = state;
          this.#send({ on: 'state', state });
        },
        onChange: (change) => this.#send({ on: 'change', change }),
        onGap: () => this.#send({ on: 'gap' }),
      });
    } else {
      // Data that the tab loaded before it joined may be older than the stream.
      port.postMessage({ on: 'gap' });
    }
  }

  remove(port: HubPort): void {
    this.#ports.delete(port);
    if (this.#ports.size > 0) return;
    this.#stop?.();
    this.#stop = null;
    this.#state = { kind: 'connecting' };
  }

  retry(): void {
    this.#feed.retry();
  }

  beat(): void {
    this.#send({ on: 'beat' });
  }

  #send(message: HubMessage): void {
    for (const port of this.#ports) port.postMessage(message);
  }
}
