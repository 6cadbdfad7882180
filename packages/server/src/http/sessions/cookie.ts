/** The session's cookie. Scripts cannot read it, and browsers send it to the API of this host only. */

/** Other pages of the host may set cookies of the same name; more values than these are not tried. */
const MOST_VALUES = 4;

/** 32 random bytes in base64url. */
const SECRET = /^[\w-]{43}$/;

/**
 * Unencrypted connections cannot have the prefix `__Secure-`. The id of the server distinguishes servers
 * on other ports of the host, because browsers send cookies to all ports.
 */
function cookieName(serverId: string, isEncrypted: boolean): string {
  return `${isEncrypted ? '__Secure-' : ''}dstack_session_${serverId.slice(0, 8)}`;
}

/** The values of the server's cookies that may be secrets. */
export function cookieValues(header: string, serverId: string): string[] {
  const names = [cookieName(serverId, true), cookieName(serverId, false)];
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
export function setCookie(
  serverId: string,
  secret: string,
  { isEncrypted, maxAge }: CookieOptions,
): string {
  return [
    `${cookieName(serverId, isEncrypted)}=${secret}`,
    'Path=/api',
    'HttpOnly',
    'SameSite=Strict',
    ...(isEncrypted ? ['Secure'] : []),
    ...(maxAge === null ? [] : [`Max-Age=${maxAge}`]),
  ].join('; ');
}
