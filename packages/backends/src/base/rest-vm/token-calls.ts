/** Calls with the access token of an account, which may be refused before it expires. */
import { errorMessage } from '@dstack/contract/error-message';
import { CredentialsError, PreparingError } from '../errors.ts';
import type { AccessTokens } from './access-tokens.ts';
import type { RestCall } from './rest-client.ts';

export class TokenCalls {
  readonly #tokens: AccessTokens;
  /** The tokens with which calls were sent. */
  readonly #used = new WeakMap<RestCall, string>();

  constructor(tokens: AccessTokens) {
    this.#tokens = tokens;
  }

  /** For `RestClientOptions`. */
  readonly headers = async (call: RestCall): Promise<Readonly<Record<string, string>>> => {
    const token = await this.#tokens.value();
    this.#used.set(call, token);
    return { authorization: `Bearer ${token}` };
  };

  /**
   * `send`: sends the call. A look-up whose token is refused is sent again with another one; everything else is left to
   * the caller, by a `PreparingError`.
   */
  async sent<T>(call: RestCall, send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      const token = this.#used.get(call);
      const isOfToken = error instanceof CredentialsError && token !== undefined;
      if (!isOfToken || !this.#tokens.refused(token)) throw error;
      if (call.kind === 'look') return await send();
      throw new PreparingError(errorMessage(error), { cause: error });
    }
  }
}
