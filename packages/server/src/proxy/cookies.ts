/** Cookies between clients and apps that share the API's origin. */

/** Names of cookies that are this server's own begin so. */
const OWN = /^(__host-|__secure-)?dstack/i;

/** Without this server's own ones; null: nothing is left. */
export function withoutOwnCookies(cookie: string): string | null {
  const kept = cookie.split(';').filter((pair) => !OWN.test(pair.trim()));
  return kept.some((pair) => pair.trim() !== '') ? kept.join(';').trim() : null;
}

/**
 * A `Set-Cookie` that reaches no farther than the service: browsers send the cookie nowhere else.
 * `prefix`: the service's path, `isStripped`: the app does not know of it. Null: a name that is
 * this server's own.
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
