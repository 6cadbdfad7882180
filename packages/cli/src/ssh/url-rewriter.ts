import type { ForwardedPort } from './ports.ts';

/**
 * Makes the URLs that a job prints (`http://localhost:8080/…`) work on the user's computer by
 * replacing the port with the forwarded one. Only a URL within one piece of output is recognised.
 */
export class UrlRewriter {
  readonly #pattern: RegExp;
  readonly #ports: ReadonlyMap<string, number>;
  readonly #serviceUrl: string | null;

  /** @param addresses further host names of the job */
  constructor(
    ports: readonly ForwardedPort[],
    serviceUrl: string | null,
    addresses: readonly string[],
  ) {
    const hosts = ['localhost', '0.0.0.0', '127.0.0.1', ...addresses].map((host) =>
      host.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
    );
    this.#pattern = new RegExp(`http://(?:${hosts.join('|')}):(\\d+)(?=[/\\s]|$)`, 'g');
    this.#ports = new Map(ports.map((port) => [String(port.remote), port.local]));
    this.#serviceUrl = serviceUrl;
  }

  rewrite(bytes: Uint8Array): Uint8Array {
    if (this.#ports.size === 0) return bytes;
    // Decodes one character per byte and back, so that output other than text is unchanged.
    const text = Buffer.from(bytes).toString('latin1');
    const changed = text.replace(this.#pattern, (whole, port: string) => {
      const local = this.#ports.get(port);
      if (local === undefined) return whole;
      return this.#serviceUrl?.replace(/\/+$/, '') ?? `http://localhost:${local}`;
    });
    return changed === text ? bytes : Buffer.from(changed, 'latin1');
  }
}
