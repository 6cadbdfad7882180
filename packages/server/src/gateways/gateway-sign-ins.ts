import { SignInGuard, type TokenLookUp } from '../callers/sign-in-guard.ts';

export interface GatewaySignInsOptions {
  /** Unknown tokens per minute and address of a client; 0 = no limit. */
  readonly limit: number;
  /** Milliseconds. */
  readonly now: () => number;
}

/** Addresses of clients that count: a gateway has many clients. */
const ADDRESSES = 10;
const WHOLE = 'gateway';

/**
 * The sign-in guard of one replica of a gateway. The gateway may lie about addresses of clients, so a second
 * limit holds for all of them together, and neither shares its memory with callers of the server.
 */
export class GatewaySignIns {
  readonly #clients: SignInGuard;
  readonly #gateway: SignInGuard;
  readonly #texts: SignInGuard;
  #last: Promise<unknown> = Promise.resolve();

  constructor({ limit, now }: GatewaySignInsOptions) {
    const guard = (most: number) => new SignInGuard({ limit: most, addressOf: () => WHOLE, now });
    this.#clients = guard(limit);
    this.#gateway = guard(limit * ADDRESSES);
    this.#texts = guard(limit * ADDRESSES);
  }

  /** `address`: of a client, as the gateway reports it. */
  fromAddress(address: string): TokenLookUp {
    const [client, gateway] = [
      this.#clients.fromAddress(address),
      this.#gateway.fromAddress(WHOLE),
    ];
    return (token, look) => client(token, () => gateway(token, look));
  }

  /**
   * Whether a text is a token, one look-up after another: foreign texts are usual here, so those beyond the
   * limit wait instead of being refused.
   */
  async isToken(text: string, look: () => Promise<boolean>): Promise<boolean> {
    const lookUp = this.#texts.fromAddress(WHOLE);
    const found = this.#last.then(() => lookUp(text, async () => (await look()) || null));
    this.#last = found.catch(() => {});
    return (await found) !== null;
  }
}
