import type { Client } from '@dstack/client';

/** The state that the page keeps in session storage while the browser is at the provider. */
export interface PendingSignIn {
  /** Where the person was, a path of this server. */
  readonly path: string;
  readonly persistent: boolean;
}

const NAME = 'dstack-sign-in';

/** Goes to the provider, which redirects back to `/auth/<provider>/callback`. */
export async function goToProvider(
  client: Client,
  provider: string,
  pending: PendingSignIn,
  window: Pick<Window, 'location' | 'sessionStorage'>,
): Promise<void> {
  const { authorization_url: url } = await client.auth.authorize(provider, null);
  if (!/^https?:$/.test(new URL(url).protocol)) throw new Error(`The server named the page ${url}`);
  try {
    window.sessionStorage.setItem(NAME, JSON.stringify(pending));
  } catch {
    // Storage is switched off: the sign-in ends on the first page.
  }
  window.location.assign(url);
}

/** Removes the kept state and returns it; if there is none, the user goes to the first page. */
export function takePendingSignIn(storage: () => Storage): PendingSignIn {
  try {
    const kept = JSON.parse(storage().getItem(NAME) ?? '{}');
    storage().removeItem(NAME);
    return { path: ownPath(kept.path), persistent: kept.persistent === true };
  } catch {
    // Storage is switched off, or another version has written something else.
    return { path: '/', persistent: false };
  }
}

/** Never another server, nor the page that is left. */
function ownPath(path: unknown): string {
  const isOwn = typeof path === 'string' && /^\/(?![/\\])/.test(path);
  return isOwn && !path.startsWith('/auth/') ? path : '/';
}
