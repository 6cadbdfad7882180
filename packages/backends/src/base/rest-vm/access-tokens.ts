/** The access token of an account: asked for when it is first used, and again before it expires. */
import { errorMessage } from '@dstack/contract/error-message';
import { NoAnswerError, PreparingError } from '../errors.ts';

export interface GrantedToken {
  readonly token: string;
  /** How long it is accepted. */
  readonly seconds: number;
}

/** Asks a token service. Throws the errors of the port. */
export type TokenSource = () => Promise<GrantedToken>;

interface Known {
  readonly token: string;
  /** Milliseconds of the pace. */
  readonly at: number;
  readonly until: number;
}

/** Renewed so long before it expires. */
const EARLY_MS = 300_000;
/** A refused token of this age may have expired early: the clock of a computer that sleeps stands still. */
const OLD_MS = 60_000;

export class AccessTokens {
  readonly #ask: TokenSource;
  readonly #now: () => number;
  #known: Known | null = null;
  #asking: Promise<Known> | null = null;

  /** `now`: milliseconds that no step of the clock moves. */
  constructor(ask: TokenSource, now: () => number) {
    this.#ask = ask;
    this.#now = now;
  }

  /** Throws `CredentialsError`, or `PreparingError` if the service does not answer: nothing else was called then. */
  async value(): Promise<string> {
    const known = this.#known;
    if (known !== null && known.until - EARLY_MS > this.#now()) return known.token;
    this.#asking ??= this.#asked().finally(() => {
      this.#asking = null;
    });
    try {
      return (await this.#asking).token;
    } catch (error) {
      // The service does not answer for a moment: the token that we have is still accepted.
      if (known !== null && known.until > this.#now()) return known.token;
      if (!(error instanceof NoAnswerError)) throw error;
      throw new PreparingError(errorMessage(error), { cause: error });
    }
  }

  /** A token of `value` was refused. Returns whether another one may be accepted. */
  refused(token: string): boolean {
    const known = this.#known;
    // Another call has found out first.
    if (known?.token !== token) return true;
    this.#known = null;
    return this.#now() - known.at > OLD_MS;
  }

  async #asked(): Promise<Known> {
    const at = this.#now();
    const { token, seconds } = await this.#ask();
    this.#known = { token, at, until: at + seconds * 1000 };
    return this.#known;
  }
}
