import {
  type Client,
  ConnectionError,
  createClient,
  ForbiddenError,
  fetchExchange,
  TimeoutError,
  UnauthorizedError,
} from '@dstack/client';
import type { User, UserWithCreds } from '@dstack/contract/wire';

/** The signed-in user; tokens and private keys of the answer are left out. */
export type SessionUser = User;

export type SessionState =
  | { readonly kind: 'checking' }
  | { readonly kind: 'signed-in'; readonly user: SessionUser }
  /** `ended`: the token was revoked, or the user deleted, while the page was open. */
  | { readonly kind: 'signed-out'; readonly reason: 'none' | 'ended' | 'left' }
  /** The server did not answer when the page was opened. */
  | { readonly kind: 'unreachable'; readonly error: unknown };

export interface Session {
  readonly state: SessionState;
  readonly subscribe: (listener: () => void) => () => void;
  /** The client for calls as the signed-in user. */
  readonly client: Client;
  /** Whether the page's cookie, if any, is still good. Also called when a call was refused. */
  readonly check: () => Promise<void>;
  /** @throws SignInError with a text for the form. */
  readonly signIn: (token: string) => Promise<void>;
  readonly signOut: () => Promise<void>;
}

/** The reason why a token was not accepted, for the sign-in form. */
export class SignInError extends Error {
  override readonly name = 'SignInError';
}

export interface SessionOptions {
  readonly url: string;
  readonly createClient?: (token: string | null) => Client;
}

/** Keeps the token in memory only; a reload of the page needs it again. */
export function createSession(options: SessionOptions): Session {
  const connect =
    options.createClient ??
    ((token: string | null) =>
      createClient({ url: options.url, token, exchange: fetchExchange, userAgent: 'dstack-web' }));
  const listeners = new Set<() => void>();
  let client = connect(null);
  let state: SessionState = { kind: 'signed-out', reason: 'none' };
  const set = (next: SessionState): void => {
    state = next;
    for (const listener of listeners) listener();
  };
  return {
    get state() {
      return state;
    },
    get client() {
      return client;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async check() {
      if (state.kind !== 'signed-in') return;
      try {
        await client.users.getMyUser();
      } catch (error) {
        // A lost connection changes nothing; the live state reports it.
        if (!isRefusal(error)) return;
        client = connect(null);
        set({ kind: 'signed-out', reason: 'ended' });
      }
    },
    async signIn(token) {
      const next = connect(token);
      let user: SessionUser;
      try {
        user = withoutSecrets(await next.users.getMyUser());
      } catch (error) {
        throw new SignInError(refusalText(error));
      }
      client = next;
      set({ kind: 'signed-in', user });
    },
    async signOut() {
      client = connect(null);
      set({ kind: 'signed-out', reason: 'left' });
    },
  };
}

/** Servers answer a wrong token with 403 as well as with 401. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof UnauthorizedError || error instanceof ForbiddenError;

export function withoutSecrets(user: UserWithCreds): SessionUser {
  const { creds: _, ssh_private_key: __, ...rest } = user;
  return rest;
}

function refusalText(error: unknown): string {
  if (isRefusal(error)) {
    return 'The server does not accept this token. Check that it is complete and was not replaced.';
  }
  if (error instanceof ConnectionError || error instanceof TimeoutError) {
    return 'The server does not answer. Try again in a moment.';
  }
  return error instanceof Error ? error.message : String(error);
}
