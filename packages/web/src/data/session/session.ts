import {
  type Client,
  ConnectionError,
  createClient,
  ForbiddenError,
  type ProviderRedirect,
  ServerError,
  TimeoutError,
} from '@dstack/client';
import type { OpenedSession, User } from '@dstack/contract/wire';
import { lastingExchange } from './lasting-exchange.ts';
import { isRefusal } from './refusal.ts';
import type { SessionKeys } from './session-keys.ts';

export type SessionUser = User;

export type SessionState =
  | { readonly kind: 'checking' }
  | { readonly kind: 'signed-in'; readonly user: SessionUser }
  /** `ended`: the session was ended elsewhere, or the token replaced, while the page was open. */
  | { readonly kind: 'signed-out'; readonly reason: 'none' | 'ended' | 'left' }
  /** The server did not answer when the page was opened. */
  | { readonly kind: 'unreachable'; readonly error: unknown };

/** Who is signed in. Cookie and key prove it; the token is sent once and kept nowhere. */
export interface BrowserSession {
  readonly state: SessionState;
  readonly subscribe: (listener: () => void) => () => void;
  readonly client: Client;
  /** Asks the server; at the start, and whenever a call was refused. */
  readonly check: () => Promise<void>;
  /**
   * `persistent`: the session outlives the browser.
   *
   * @throws SignInError with a text for the form.
   */
  readonly signIn: (token: string, persistent: boolean) => Promise<void>;
  /** The same with what a provider has sent back. */
  readonly signInThrough: (
    provider: string,
    redirected: ProviderRedirect,
    persistent: boolean,
  ) => Promise<void>;
  readonly signOut: (everywhere?: boolean) => Promise<void>;
  /** Carries out what must happen before the session ends; returns how to end that. */
  readonly beforeSignOut: (task: () => Promise<unknown>) => () => void;
}

/** The reason why a token was not accepted, for the sign-in form. */
export class SignInError extends Error {
  override readonly name = 'SignInError';
}

export interface SessionOptions {
  readonly url: string;
  readonly keys: SessionKeys;
  readonly connect?: (sessionKey: () => string | null) => Client;
}

export function createSession({ url, keys, connect }: SessionOptions): BrowserSession {
  const listeners = new Set<() => void>();
  const tasks = new Set<() => Promise<unknown>>();
  const sessionKey = () => keys.read();
  const client = connect
    ? connect(sessionKey)
    : createClient({ url, token: null, sessionKey, exchange: lastingExchange(window) });
  let state: SessionState = { kind: 'checking' };
  const set = (next: SessionState): void => {
    state = next;
    for (const listener of listeners) listener();
  };
  const leave = (reason: 'none' | 'ended' | 'left'): void => {
    keys.remove();
    set({ kind: 'signed-out', reason });
  };
  const askServer = async (): Promise<void> => {
    if (sessionKey() === null) {
      if (state.kind !== 'signed-out') leave(state.kind === 'signed-in' ? 'left' : 'none');
      return;
    }
    try {
      const { user } = await client.session.get();
      if (user === null) leave(state.kind === 'signed-in' ? 'ended' : 'none');
      else if (state.kind !== 'signed-in' || state.user.id !== user.id) {
        set({ kind: 'signed-in', user });
      }
    } catch (error) {
      // A lost connection ends no session; on an open page the live state reports it.
      if (isRefusal(error)) leave('ended');
      else if (state.kind !== 'signed-in') set({ kind: 'unreachable', error });
    }
  };
  let asking: Promise<void> | null = null;
  /** Several calls are refused at once when a session ends; the server is asked once for all. */
  const check = (): Promise<void> => {
    asking ??= askServer().finally(() => {
      asking = null;
    });
    return asking;
  };
  const enter = async (open: () => Promise<OpenedSession>, textOf: (error: unknown) => string) => {
    try {
      const opened = await open();
      keys.write(opened.key);
      if (opened.user === null) throw new SignInError('The server named no user.');
      set({ kind: 'signed-in', user: opened.user });
    } catch (error) {
      throw new SignInError(textOf(error));
    }
  };
  // Another tab has signed out, or in as another user.
  keys.onChange(() => void check());
  return {
    get state() {
      return state;
    },
    client,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    check,
    signIn: (token, persistent) => enter(() => client.session.open(token, persistent), refusalText),
    signInThrough: (provider, redirected, persistent) =>
      enter(() => client.session.openThrough(provider, redirected, persistent), providerFaultText),
    beforeSignOut(task) {
      tasks.add(task);
      return () => tasks.delete(task);
    },
    async signOut(everywhere = false) {
      await Promise.allSettled([...tasks].map((task) => task()));
      // The key is removed even if the server does not answer: the page must not stay open.
      await (everywhere ? client.session.endAll() : client.session.end()).catch(() => {});
      leave('left');
    },
  };
}

function refusalText(error: unknown): string {
  if (error instanceof ForbiddenError && !/token/i.test(error.message)) return error.message;
  if (isRefusal(error)) {
    return 'The server does not accept this token. Check that it is complete and was not replaced.';
  }
  return providerFaultText(error);
}

/** The server's message reports what is wrong with the account or the provider. */
export function providerFaultText(error: unknown): string {
  if (error instanceof ConnectionError || error instanceof TimeoutError) {
    return 'The server does not answer. Try again in a moment.';
  }
  if (error instanceof ServerError) return 'The server failed. Its log has the cause.';
  return error instanceof Error ? error.message : String(error);
}
