/** Keys of projects in an account whose machines need one, although they get all keys in another way. */

import { addedOnce } from './added-once.ts';
import { firstKey, keyName } from './user-data.ts';
import type { VmOrder } from './vm-cloud.ts';

export interface AccountKeysApi {
  /** All of them. */
  readonly list: () => Promise<readonly { readonly id: string; readonly publicKey: string }[]>;
  /** The id of the new one. */
  readonly add: (name: string, publicKey: string) => Promise<string>;
}

type OfOrder = Pick<VmOrder, 'authorizedKeys'>;

export class AccountKeys {
  readonly #api: AccountKeysApi;
  /** By the names of keys. */
  readonly #ids = new Map<string, string>();

  constructor(api: AccountKeysApi) {
    this.#api = api;
  }

  /** Adds the key of the project unless the account has it. */
  async ensure(order: OfOrder): Promise<void> {
    const { list, add } = this.#api;
    const publicKey = firstKey(order);
    const name = keyName(publicKey);
    if (this.#ids.has(name)) return;
    const known = async () =>
      (await list()).find((key) => keyName(key.publicKey) === name)?.id ?? null;
    const id = (await known()) ?? (await addedOnce(() => add(name, publicKey), known));
    this.#ids.set(name, id);
  }

  /** Null: `ensure` has to be called again. */
  idOf(order: OfOrder): string | null {
    return this.#ids.get(keyName(firstKey(order))) ?? null;
  }

  /** Users may have deleted keys: all are looked for again. */
  forget(): void {
    this.#ids.clear();
  }
}
