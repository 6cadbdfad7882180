import '@tanstack/react-query';

declare module '@tanstack/react-query' {
  interface Register {
    queryMeta: {
      /**
       * `by itself`: the live feed leaves the query alone, its own module refreshes it. `regularly`: no change
       * is reported for it (metrics), so that it is asked for again every ten seconds while it is shown. `never`:
       * it makes something.
       */
      readonly refreshed?: 'by itself' | 'regularly' | 'never';
      /** Loads the newest page of a list. */
      readonly refreshHead?: () => Promise<unknown>;
    };
  }
}
