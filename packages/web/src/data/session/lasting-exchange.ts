import { type Exchange, fetchExchangeWith } from '@dstack/client';

/** Requests that are sent while the page is being closed or left outlive it. */
export function lastingExchange(page: Window): Exchange {
  let isLeaving = false;
  // Before the listeners of those who have something left to send.
  page.addEventListener('pagehide', () => {
    isLeaving = true;
  });
  page.addEventListener('pageshow', () => {
    isLeaving = false;
  });
  return fetchExchangeWith(() => ({ keepalive: isLeaving }));
}
