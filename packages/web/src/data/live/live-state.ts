import type { ChangeMessage } from '@dstack/contract/wire';

/** How current the data on the page is. */
export type LiveState =
  | { readonly kind: 'connecting' }
  /** `since`: ms; changes arrive as they happen. */
  | { readonly kind: 'live'; readonly since: number }
  /** The server has no stream of changes; everything visible is asked for again regularly. */
  | { readonly kind: 'polling'; readonly updatedAt: number }
  /** The server does not answer. `updatedAt`: when it last did; `retryAt`: the next attempt. */
  | { readonly kind: 'offline'; readonly updatedAt: number | null; readonly retryAt: number };

export interface LiveListener {
  readonly onState: (state: LiveState) => void;
  readonly onChange: (change: ChangeMessage) => void;
  /** Changes may have been missed: everything on the page is asked for again. */
  readonly onGap: () => void;
}

/** A source of changes. `start` returns the function that ends it. */
export interface LiveFeed {
  readonly start: (listener: LiveListener) => () => void;
  /** Tries at once instead of at `retryAt`. */
  readonly retry: () => void;
}
