/**
 * The key of the session. It proves that a request comes from a page of this server, and is worth nothing
 * without the cookie, which scripts cannot read. All tabs share it. The cookie decides how long the session
 * lasts.
 */
export interface SessionKeys {
  readonly read: () => string | null;
  readonly write: (key: string) => void;
  readonly remove: () => void;
  /** Calls the listener when another tab has changed it. */
  readonly onChange: (listener: () => void) => void;
}

const NAME = 'dstack-session-key';

export function browserKeys(window: Window): SessionKeys {
  // Where storage is switched off, the session lasts until the page is closed.
  let memory: string | null = null;
  const storage = (): Storage | null => {
    try {
      return window.localStorage;
    } catch {
      return null;
    }
  };
  return {
    read: () => storage()?.getItem(NAME) ?? memory,
    write(key) {
      memory = key;
      storage()?.setItem(NAME, key);
    },
    remove() {
      memory = null;
      storage()?.removeItem(NAME);
    },
    onChange(listener) {
      window.addEventListener('storage', ({ key }) => {
        if (key === NAME) listener();
      });
    },
  };
}
