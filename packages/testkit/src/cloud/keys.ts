import { Refusal } from './refusal.ts';

/** A public key that an account stores. */
export interface SshKey {
  readonly id: string;
  readonly name: string;
  /** One line. */
  readonly publicKey: string;
}

export class SshKeys {
  readonly #keys = new Map<string, SshKey>();
  readonly #newId: () => string;

  constructor(newId: () => string) {
    this.#newId = newId;
  }

  all(): readonly SshKey[] {
    return [...this.#keys.values()];
  }

  /** Whether a second key may have a taken name is the provider's rule, not the account's. */
  add(name: string, publicKey: string): SshKey {
    const key = { id: this.#newId(), name, publicKey: publicKey.trim() };
    this.#keys.set(key.id, key);
    return key;
  }

  delete(id: string): void {
    if (!this.#keys.delete(id)) throw new Refusal('not_found', `no key ${id}`, { what: id });
  }
}
