import { hash, timingSafeEqual } from 'node:crypto';
import { bareForms, basicParts, type CredentialPlace } from '../head/credential-places.ts';
import type { ProxyLog } from '../log.ts';
import { marksOf, TokenMarks } from './token-marks.ts';

export interface OwnTokensOptions {
  /** See `Access.isToken` of the store. */
  readonly isToken: (text: string) => Promise<boolean>;
  /** Tokens from the server's settings. */
  readonly settings: readonly (string | null)[];
  /** The marks of tokens in a process that does not know the tokens; omitted: it knows them. */
  readonly marks?: () => TokenMarks;
  /** Milliseconds. */
  readonly now: () => number;
  readonly log: ProxyLog;
}

/** Prefix of service tokens. */
const PREFIX = 'dstack_';

/**
 * Users' tokens are UUIDs. So are many API keys of apps: used only if the database does not answer.
 */
const FORM = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The same anywhere in a text. */
const FORMS = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** A value that is not a token is looked up again after this long (ms). */
const FOREIGN_TTL_MS = 60_000;

const MAX_REMEMBERED = 10_000;

/** Values looked up per request; further ones are never passed on. */
const MAX_VALUES = 4;

/** Values looked up per request outside of `Authorization`; places with further ones are never passed on. */
const MAX_PLACED = 16;

/** Parts of one value that are looked up; a value with more of them is never passed on. */
const MAX_CANDIDATES = 8;

/**
 * Recognises tokens of this server in credentials, revoked ones included: no app may receive one,
 * because it could act as the token's owner.
 */
export class OwnTokens {
  readonly #options: OwnTokensOptions;
  readonly #digests: readonly Buffer[];
  readonly #marks: TokenMarks;
  /** Digests of values that are not tokens, and until when that is assumed. */
  readonly #foreign = new Map<string, number>();
  readonly #own = new Set<string>();

  constructor(options: OwnTokensOptions) {
    this.#options = options;
    this.#digests = options.settings.flatMap((text) => (text ? digest(text) : []));
    this.#marks = new TokenMarks(marksOf(options.settings));
  }

  /** The marks of texts that may be tokens in any place; see `inPlaces`. */
  get marks(): TokenMarks {
    return this.#options.marks?.() ?? this.#marks;
  }

  /** The values of `Authorization` that contain a token of this server, or were not looked up. */
  async among(values: readonly string[]): Promise<ReadonlySet<string>> {
    if (values.length === 0) return NONE;
    const own = await Promise.all(values.slice(0, MAX_VALUES).map((value) => this.#isIn(value)));
    return new Set(values.filter((_value, index) => own[index] ?? true));
  }

  /**
   * The texts of the places that contain a token of this server, or were not looked up. While the database does
   * not answer, what looks like a token of a user is dropped only where the name is one of credentials: apps use such values
   * for much else.
   */
  async inPlaces(places: readonly CredentialPlace[]): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    const looked = new Map<string, Promise<boolean | null>>();
    for (const { text, candidates, isForCredentials } of places) {
      for (const candidate of candidates) {
        if (candidate.includes(PREFIX)) found.add(text);
        else if (looked.size >= MAX_PLACED && !looked.has(candidate)) found.add(text);
        else {
          const answer = looked.get(candidate) ?? this.#lookedUp(candidate);
          looked.set(candidate, answer);
          const isOwn = await answer;
          const looksOwn =
            this.marks.mayBe(candidate) || (isForCredentials && FORM.test(candidate));
          if (isOwn ?? looksOwn) found.add(text);
        }
        if (found.has(text)) break;
      }
    }
    return found;
  }

  async #isIn(value: string): Promise<boolean> {
    const texts = candidatesIn(value);
    if (texts.length > MAX_CANDIDATES) return true;
    for (const text of texts) if (await this.#isOwn(text)) return true;
    return false;
  }

  async #isOwn(text: string): Promise<boolean> {
    if (text.includes(PREFIX)) return true;
    return (await this.#lookedUp(text)) ?? (FORM.test(text) || this.marks.mayBe(text));
  }

  /** Null: the database does not answer. */
  async #lookedUp(text: string): Promise<boolean | null> {
    const bytes = digest(text);
    if (this.#digests.some((own) => timingSafeEqual(own, bytes))) return true;
    const key = bytes.toString('base64');
    if (this.#own.has(key)) return true;
    const { isToken, now, log } = this.#options;
    if (now() < (this.#foreign.get(key) ?? 0)) return false;
    try {
      const isOwn = await isToken(text);
      this.#remember(key, isOwn);
      return isOwn;
    } catch (error) {
      log.warn(
        { err: error },
        'a credential cannot be looked up; its form decides whether it is passed on',
      );
      return null;
    }
  }

  #remember(key: string, isOwn: boolean): void {
    if (this.#own.size + this.#foreign.size >= MAX_REMEMBERED) {
      this.#own.clear();
      this.#foreign.clear();
    }
    if (isOwn) this.#own.add(key);
    else this.#foreign.set(key, this.#options.now() + FOREIGN_TTL_MS);
  }
}

const NONE: ReadonlySet<string> = new Set();

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

/**
 * The parts of a value that may be a token, without repetitions. Mistakes are taken into account, since
 * a service that needs no token answers all the same: a scheme written twice, quotes, values of a
 * repeated header that a proxy has joined by commas.
 */
function candidatesIn(value: string): string[] {
  const texts = [value, ...value.split(',').filter((part) => SCHEME.test(part))];
  const credentials = texts.flatMap(credentialsIn);
  const forms = credentials.flatMap((text) => text.toLowerCase().match(FORMS) ?? []);
  return [...new Set([...credentials, ...forms])];
}

/** Schemes that may precede tokens of this server. */
const SCHEME = /^\s*(bearer|basic|token)\s/i;

/** Everything after the schemes; for `Basic` also user and password, for `Digest` the user. */
function credentialsIn(value: string): string[] {
  const forms = bareForms(value);
  // The scheme is no credential.
  const texts = forms.length > 1 ? forms.slice(1) : [withoutScheme(value.trim())];
  texts.push(...basicParts(value));
  const [, user = ''] = /\busername\*?\s*=\s*"?([^",]*)/i.exec(value) ?? [];
  return [...texts, user].filter((text) => text !== '');
}

function withoutScheme(value: string): string {
  const [, rest = value] = /^\S+\s(.*)$/s.exec(value) ?? [];
  return rest.trim();
}
