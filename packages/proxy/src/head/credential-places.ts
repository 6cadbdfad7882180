/** Where in the head of a request a token may be, beside `Authorization`: in headers, cookies and parameters. */
import { SERVICE_TOKEN_PREFIX } from '@dstack/contract/token-prefixes';
import { isOwnCookie } from './cookies.ts';
import type { RawHeaders } from './raw-headers.ts';

/** A part of the head that is passed on or dropped as a whole. */
export interface CredentialPlace {
  /** The text that was sent: the value of a header, a cookie with its name, or a parameter with its name. */
  readonly text: string;
  /** The texts in it that may be tokens of this server. */
  readonly candidates: readonly string[];
  /** Whether its name is one of credentials (`X-Api-Key`, `access_token`). */
  readonly isForCredentials: boolean;
}

/** Users' tokens, anywhere in a text. */
const FORMS = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;

const FOR_CREDENTIALS = /auth|token|key|secret|passw|credential|bearer|jwt/i;

/** Names of values that identify a request or an object, and are new with each request. */
const FOR_IDS =
  /(^|[-_.])(id|uuid|guid)$|[a-z]I[dD]$|^(idempotency-key|traceparent|tracestate|baggage)$/;

/** Headers that HTTP itself needs, and `Authorization`, which is examined as a whole elsewhere. */
const OF_HTTP =
  /^(authorization|host|content-.*|accept.*|if-.*|range|date|sec-websocket-(key|version|extensions)|sec-fetch-.*|x-forwarded-.*|x-dstack-.*)$/;

/** A longer value is no token of this server: those that users choose are shorter. */
const LONGEST = 256;

interface NamedText {
  /** As in `CredentialPlace`. */
  readonly text: string;
  readonly name: string;
  readonly value: string;
}

/** The known marks of tokens that have no form of their own; see `TokenMarks`. */
export interface KnownMarks {
  /** A shorter text is none. */
  readonly shortest: number;
  readonly mayBe: (text: string) => boolean;
}

/** `rest`: the path with its query. */
export function credentialPlaces(
  raw: RawHeaders,
  rest: string,
  marks: KnownMarks,
): CredentialPlace[] {
  return placesIn(raw, rest).flatMap((place) => placeOf(place, marks));
}

/** The texts of the places that contain one of these tokens, whatever form the tokens have. */
export function placesWith(raw: RawHeaders, rest: string, tokens: readonly string[]): string[] {
  if (tokens.length === 0) return [];
  return placesIn(raw, rest).flatMap(({ text, name, value }) =>
    tokens.some((token) => value.includes(token) || name.includes(token)) ? [text] : [],
  );
}

function placesIn(raw: RawHeaders, rest: string): NamedText[] {
  const places = parametersOf(rest).map(pairOf);
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    const value = raw[i + 1] ?? '';
    if (name === 'cookie') places.push(...cookiesIn(value));
    else if (name === 'referer') {
      // The address of a page; its parameters are those of a request.
      for (const text of parametersOf(value)) places.push({ ...pairOf(text), text: value });
    } else if (!OF_HTTP.test(name)) places.push({ text: value, name, value });
  }
  return places;
}

function cookiesIn(value: string): NamedText[] {
  return value
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => !isOwnCookie(pair))
    .map(pairOf);
}

function pairOf(text: string): NamedText {
  const at = text.indexOf('=');
  if (at === -1) return { text, name: '', value: decoded(text) };
  return { text, name: decoded(text.slice(0, at)), value: decoded(text.slice(at + 1)) };
}

function placeOf({ text, name, value }: NamedText, marks: KnownMarks): CredentialPlace[] {
  const isForCredentials = FOR_CREDENTIALS.test(name) && !FOR_IDS.test(name);
  const candidates = new Set<string>();
  if (value.includes(SERVICE_TOKEN_PREFIX)) candidates.add(value);
  if (!FOR_IDS.test(name)) {
    for (const form of value.match(FORMS) ?? []) candidates.add(form.toLowerCase());
  }
  // A base64 text names its scheme, so it is credentials whatever the name.
  for (const part of value.split(',')) {
    if (part.length > LONGEST) continue;
    for (const form of basicParts(part)) candidates.add(form);
  }
  if (isForCredentials && value.length <= LONGEST) {
    for (const form of bareForms(value)) candidates.add(form);
  } else if (value.length >= marks.shortest && value.length <= LONGEST && !FOR_IDS.test(name)) {
    for (const form of bareForms(value)) if (marks.mayBe(form)) candidates.add(form);
  }
  return candidates.size === 0 ? [] : [{ text, candidates: [...candidates], isForCredentials }];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

/** The parameters of the query, as they were sent. */
function parametersOf(url: string): string[] {
  const at = url.indexOf('?');
  return at === -1 ? [] : url.slice(at + 1).split('&');
}

/** The path with its query, without the parameters in `dropped`. */
export function withoutParameters(url: string, dropped: ReadonlySet<string>): string {
  const parameters = parametersOf(url);
  const kept = parameters.filter((parameter) => !dropped.has(parameter));
  if (kept.length === parameters.length) return url;
  const path = url.slice(0, url.indexOf('?'));
  return kept.length === 0 ? path : `${path}?${kept.join('&')}`;
}

/** Schemes and quotes that are removed from one value. */
const MOST_LAYERS = 4;

/** The value, and what is left without schemes (`Bearer Bearer x`) and quotes around it, outermost first. */
export function bareForms(value: string): string[] {
  const forms: string[] = [];
  let text = value.trim();
  for (let layer = 0; layer < 2 * MOST_LAYERS && text !== ''; layer += 1) {
    forms.push(text);
    const bare = /^(["'])(.*)\1[,;]?$/s.exec(text)?.[2] ?? SCHEMED.exec(text)?.[1];
    if (bare === undefined) break;
    text = bare.trim();
  }
  return forms;
}

/** User and password of a value with the scheme `Basic`, which quotes or another scheme may surround. */
export function basicParts(value: string): string[] {
  const forms = bareForms(value);
  const at = forms.findIndex((form) => /^basic\s/i.test(form));
  if (at === -1) return [];
  return forms.slice(at + 1, at + 3).flatMap((text) => {
    const [name = '', ...password] = Buffer.from(text, 'base64').toString().split(':');
    return [name, password.join(':')].filter((part) => part !== '');
  });
}

/** Schemes that may precede tokens of this server. */
const SCHEMED = /^(?:bearer|basic|token)[\s:]+(.*)$/is;
