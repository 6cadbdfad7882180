/** Public and private addresses of machines without a host. Released ones are given out again. */

/** Addresses for documentation (RFC 5737): nothing answers there. */
const PUBLIC_NETWORKS = ['192.0.2', '198.51.100', '203.0.113'];
const PER_NETWORK = 254;

export class AddressPool {
  readonly #free: string[] = PUBLIC_NETWORKS.flatMap((network) =>
    Array.from({ length: PER_NETWORK }, (_, index) => `${network}.${index + 1}`),
  );

  /** `recent`: the one that was released last, so that it appears again at once. */
  take(recent: boolean): string {
    const address = recent ? this.#free.pop() : this.#free.shift();
    if (address === undefined) throw new Error('the account has used up its addresses');
    return address;
  }

  giveBack(address: string): void {
    this.#free.push(address);
  }
}

/** The private address of the `index`th machine of an account. */
export function privateAddress(index: number): string {
  const low = (index % (256 * PER_NETWORK)) + 1;
  return `10.132.${Math.floor(low / PER_NETWORK) % 256}.${(low % PER_NETWORK) + 1}`;
}
