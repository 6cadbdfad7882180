import { hash, timingSafeEqual } from 'node:crypto';
import type { Logger } from '../logging.ts';

export interface OwnTokensOptions {
  /** See `Access.isToken` of the store. */
  readonly isToken: (text: string) => Promise<boolean>;
  /** Tokens that are in no database. */
  readonly settings: readonly (string | null)[];
  /** Milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

/** How this server's tokens of programs begin. */
const PREFIX = 'dstack_';

/** The form of users' tokens. Apps have keys of that form too, so it decides only where nothing else can. */
const FORM = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What was no token is looked up again after this long (ms); what was one stays one. */
const FOREIGN_TTL_MS = 60_000;

const MAX_REMEMBERED = 10_000;

/** Of one request; what comes behind them is not passed on, so that it need not be looked up. */
const MAX_VALUES = 4;

/**
 * Recognises what is, or was, a token of this server, which no app may see: whoever has it can do
 * everything that its owner can. Revoked tokens are recognised too.
 */
export class OwnTokens {
  readonly #options: OwnTokensOptions;
  readonly #digests: readonly Buffer[];
  /** By digest: until when it counts as nothing of ours. */
  readonly #foreign = new Map<string, number>();
  readonly #own = new Set<string>();

  constructor(options: OwnTokensOptions) {
    this.#options = options;
    this.#digests = options.settings.flatMap((text) => (text ? digest(text) : []));
  }

  /** Those of these values of `Authorization` that carry a token of this server, or may do so. */
  async among(values: readonly string[]): Promise<ReadonlySet<string>> {
    if (values.length === 0) return NONE;
    const own = await Promise.all(values.slice(0, MAX_VALUES).map((value) => this.#isIn(value)));
    return new Set(values.filter((_value, index) => own[index] ?? true));
  }

  async #isIn(value: string): Promise<boolean> {
    for (const text of credentialsIn(value)) if (await this.#isOwn(text)) return true;
    return false;
  }

  async #isOwn(text: string): Promise<boolean> {
    if (text.startsWith(PREFIX)) return true;
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
      log.warn({ err: error }, 'a credential is judged by its form: it cannot be looked up');
      return FORM.test(text);
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

/** Whatever could be a token in there: with its scheme and without, a name or password of `Basic`. */
function credentialsIn(value: string): string[] {
  const whole = value.trim();
  const [, scheme = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(whole) ?? [];
  const texts = [scheme === '' ? whole : rest.trim()];
  if (scheme.toLowerCase() === 'basic') {
    const [name = '', ...password] = Buffer.from(rest, 'base64').toString().split(':');
    texts.push(name, password.join(':'));
  }
  return texts.filter((text) => text !== '');
}
