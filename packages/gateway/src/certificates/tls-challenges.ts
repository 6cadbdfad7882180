import { chmodSync, chownSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { createSecureContext, createServer as createTlsServer, type SecureContext } from 'node:tls';
import type { ProxyLog } from '@dstack/proxy';
import { readFirstLine, skipLine } from '../first-line.ts';

/** The protocol by which authorities ask (RFC 8737). */
const PROTOCOL = 'acme-tls/1';
/** The line that nginx writes before the bytes of a client. */
const MAX_HEAD = 256;

/**
 * Answers connections of authorities, which nginx leads here by their protocol, with a certificate that
 * contains the proof.
 */
export class TlsChallenges {
  readonly #contexts = new Map<string, SecureContext>();
  readonly #path: string;
  readonly #group: number | null;
  readonly #log: ProxyLog;
  #isListening = false;

  constructor(options: {
    readonly path: string;
    readonly group: number | null;
    readonly log: ProxyLog;
  }) {
    this.#path = options.path;
    this.#group = options.group;
    this.#log = options.log;
  }

  async show(name: string, keyAuthorization: string): Promise<void> {
    await this.#listen();
    // Large, as in `certificates.ts`.
    const { alpnCertificate } = await import('./alpn-certificate.ts');
    const { key, cert } = await alpnCertificate(name, keyAuthorization);
    this.#contexts.set(name, createSecureContext({ key, cert }));
  }

  hide(name: string): void {
    this.#contexts.delete(name);
  }

  async #listen(): Promise<void> {
    if (this.#isListening) return;
    this.#isListening = true;
    const tls = createTlsServer({
      ALPNProtocols: [PROTOCOL],
      SNICallback: (name, done) => {
        const context = this.#contexts.get(name.toLowerCase());
        done(context ? null : new Error(`no challenge for ${name}`), context);
      },
    });
    tls.on('secureConnection', (socket) => socket.end());
    tls.on('tlsClientError', () => {});
    const server = createServer({ pauseOnConnect: true }, (socket) =>
      readFirstLine(socket, MAX_HEAD, (head) => {
        if (head === null) {
          socket.destroy();
          return;
        }
        skipLine(socket, head);
        tls.emit('connection', socket);
      }),
    );
    server.on('error', (error) => this.#log.error({ err: error }, 'challenges are not answered'));
    rmSync(this.#path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#path, resolve);
    });
    if (this.#group !== null) chownSync(this.#path, 0, this.#group);
    chmodSync(this.#path, this.#group === null ? 0o600 : 0o660);
  }
}
