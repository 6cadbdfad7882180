/** Cookies of apps. */

/**
 * Prefix of the names of this server's own cookies. Browsers send a cookie without a name
 * (`=dstack_session=x`) as its value alone.
 */
const OWN = /^=?\s*(__host-|__secure-)?dstack/i;

/** `pair`: a cookie with its name. */
export function isOwnCookie(pair: string): boolean {
  return OWN.test(pair.trim());
}

/**
 * Removes this server's own cookies, and those in `dropped`, which contain a token of it; null if no other
 * is left.
 */
export function withoutOwnCookies(cookie: string, dropped: ReadonlySet<string>): string | null {
  const kept = cookie.split(';').filter((pair) => !isOwnCookie(pair) && !dropped.has(pair.trim()));
  return kept.some((pair) => pair.trim() !== '') ? kept.join(';').trim() : null;
}

/**
 * Limits a `Set-Cookie` to the service's path, so that browsers send the cookie to this service only.
 * `prefix`: the service's path; `isStripped`: whether the app receives paths without it. Null: the
 * cookie has a name of this server's own, and must be dropped.
 */
export function confinedCookie(
  setCookie: string,
  prefix: string,
  isStripped: boolean,
): string | null {
  const [pair = '', ...attributes] = setCookie.split(';');
  if (OWN.test(pair.trim())) return null;
  let path = '';
  const kept = attributes.filter((attribute) => {
    const [name = '', ...value] = attribute.split('=');
    const key = name.trim().toLowerCase();
    if (key === 'path') path = value.join('=').trim();
    return key !== 'path' && key !== 'domain';
  });
  return [pair, ...kept, ` Path=${confinedPath(path, prefix, isStripped)}`].join(';');
}

function confinedPath(path: string, prefix: string, isStripped: boolean): string {
  if (path === prefix || path.startsWith(`${prefix}/`)) return path;
  return isStripped && path.startsWith('/') ? prefix + path : `${prefix}/`;
}

/**
 * Limits a `Set-Cookie` to the host name of the service, so that it cannot replace cookies of other
 * services. Null: the cookie has a name of this server's own.
 */
export function hostCookie(setCookie: string): string | null {
  const [pair = '', ...attributes] = setCookie.split(';');
  if (OWN.test(pair.trim())) return null;
  const kept = attributes.filter((attribute) => !/^\s*domain\s*(=|$)/i.test(attribute));
  return [pair, ...kept].join(';');
}
