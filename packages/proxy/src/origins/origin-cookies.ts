/** The cookies by which browsers are signed in at the origin of a service. Scripts cannot read them. */
import { idPartOf, type OriginPattern } from './origin-pattern.ts';

/** Pages of sibling hosts may set cookies of the same name; more values than these are not tried. */
const MOST_VALUES = 4;

/** 32 random bytes in base64url. */
export const SECRET = /^[\w-]{43}$/;

/** Seconds. */
const STATE_AGE = 600;

type Kind = 'session' | 'sign_in';

/** Encrypted origins have a prefix that other hosts cannot use. */
function nameOf(kind: Kind, label: string, { scheme }: OriginPattern): string {
  const prefix = scheme === 'https' ? '__Host-' : '';
  return `${prefix}dstack_service_${kind}_${idPartOf(label.slice(-8))}`;
}

function valuesOf(kind: Kind, header: string | undefined, label: string, pattern: OriginPattern) {
  const wanted = nameOf(kind, label, pattern);
  const values = (header ?? '').split(';').flatMap((pair) => {
    const [name = '', value = ''] = pair.trim().split('=');
    return name === wanted && SECRET.test(value) ? [value] : [];
  });
  return values.slice(0, MOST_VALUES);
}

export const sessionSecrets = (
  header: string | undefined,
  label: string,
  pattern: OriginPattern,
): string[] => valuesOf('session', header, label, pattern);

export const signInStates = (
  header: string | undefined,
  label: string,
  pattern: OriginPattern,
): string[] => valuesOf('sign_in', header, label, pattern);

/** `Lax`: the first request comes from a page of the server, after the sign-in. */
function setCookie(name: string, value: string, maxAge: number, { scheme }: OriginPattern): string {
  const secure = scheme === 'https' ? ['Secure'] : [];
  return [
    `${name}=${value}`,
    'Path=/',
    'HttpOnly',
    'SameSite=Lax',
    ...secure,
    `Max-Age=${maxAge}`,
  ].join('; ');
}

export function stateCookie(label: string, state: string, pattern: OriginPattern): string {
  return setCookie(nameOf('sign_in', label, pattern), state, STATE_AGE, pattern);
}

/** Replaces the state. `maxAge` in seconds. */
export function sessionCookies(
  label: string,
  secret: string,
  maxAge: number,
  pattern: OriginPattern,
): string[] {
  return [
    setCookie(nameOf('session', label, pattern), secret, maxAge, pattern),
    setCookie(nameOf('sign_in', label, pattern), '', 0, pattern),
  ];
}
