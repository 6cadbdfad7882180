/** The session's cookie. Scripts cannot read it, and browsers send it to the API of this host only. */

/** Other pages of the host may set cookies of the same name; more values than these are not tried. */
const MOST_VALUES = 4;

/** 32 random bytes in base64url. */
const SECRET = /^[\w-]{43}$/;

/**
 * Unencrypted connections cannot have the prefix `__Secure-`. The id of the server distinguishes servers
 * on other ports of the host, because browsers send cookies to all ports.
 */
function cookieName(kind: string, serverId: string, isEncrypted: boolean): string {
  return `${isEncrypted ? '__Secure-' : ''}${kind}_${serverId.slice(0, 8)}`;
}

const SESSION = 'dstack_session';
const SIGN_IN = 'dstack_sign_in';

/** The values of the server's cookies that may be secrets of sessions. */
export function cookieValues(header: string, serverId: string): string[] {
  return secretsOf(SESSION, header, serverId);
}

/** Those of sign-ins that have begun in the browser. */
export function signInSecrets(header: string, serverId: string): string[] {
  return secretsOf(SIGN_IN, header, serverId);
}

function secretsOf(kind: string, header: string, serverId: string): string[] {
  const names = [cookieName(kind, serverId, true), cookieName(kind, serverId, false)];
  const values = header.split(';').flatMap((pair) => {
    const [name = '', value = ''] = pair.trim().split('=');
    return names.includes(name) && SECRET.test(value) ? [value] : [];
  });
  return values.slice(0, MOST_VALUES);
}

export interface CookieOptions {
  readonly isEncrypted: boolean;
  /** Seconds; null: until the browser is closed; 0: the cookie is removed. */
  readonly maxAge: number | null;
}

/** The value of `Set-Cookie`. */
export function setCookie(serverId: string, secret: string, options: CookieOptions): string {
  return cookie(cookieName(SESSION, serverId, options.isEncrypted), secret, '/api', options);
}

/** For a browser that goes to a provider to sign in: it proves that the same one comes back. */
export function signInCookie(serverId: string, secret: string, options: CookieOptions): string {
  return cookie(cookieName(SIGN_IN, serverId, options.isEncrypted), secret, '/api/auth', options);
}

function cookie(
  name: string,
  secret: string,
  path: string,
  { isEncrypted, maxAge }: CookieOptions,
): string {
  return [
    `${name}=${secret}`,
    `Path=${path}`,
    'HttpOnly',
    'SameSite=Strict',
    ...(isEncrypted ? ['Secure'] : []),
    ...(maxAge === null ? [] : [`Max-Age=${maxAge}`]),
  ].join('; ');
}
