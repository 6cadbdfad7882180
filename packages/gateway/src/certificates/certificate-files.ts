import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { IssuedCertificate } from './acme.ts';

export interface CertificateFilesOptions {
  readonly stateDir: string;
  readonly runtime: string;
  /** Group of nginx's workers, which read keys by name during a handshake; null = the same user. */
  readonly group: number | null;
}

/** Certificates on the disk: those that were requested, and those that nginx serves now. */
export class CertificateFiles {
  readonly #options: CertificateFilesOptions;

  constructor(options: CertificateFilesOptions) {
    this.#options = options;
    for (const dir of [this.#issuedDir, this.#servedDir]) mkdirSync(dir, { recursive: true });
    chmodSync(this.#issuedDir, 0o700);
    this.#protect(this.#servedDir, 0o750);
  }

  /** `name`: of a host, or `*.` and the name of a host. */
  issued(name: string): IssuedCertificate | null {
    const path = this.#issuedPath(name);
    if (!existsSync(`${path}.pem`) || !existsSync(`${path}.key`)) return null;
    return {
      certificate: readFileSync(`${path}.pem`, 'utf8'),
      key: readFileSync(`${path}.key`, 'utf8'),
    };
  }

  /**
   * The key of the certificate that was issued for this name, if it fits. A renewed certificate keeps it: nginx reads
   * the served file twice for a handshake, first the certificate and then the key, and it may be replaced in between.
   */
  keyOf(name: string): string | null {
    const issued = this.issued(name);
    if (issued === null) return null;
    try {
      const certificate = new X509Certificate(issued.certificate);
      return certificate.checkPrivateKey(createPrivateKey(issued.key)) ? issued.key : null;
    } catch {
      return null;
    }
  }

  store(name: string, { certificate, key }: IssuedCertificate): void {
    const path = this.#issuedPath(name);
    this.#write(`${path}.key`, key, null);
    this.#write(`${path}.pem`, certificate, null);
  }

  /** Puts the files of all names where nginx looks for them, and removes others. */
  serve(certificates: ReadonlyMap<string, IssuedCertificate>): void {
    for (const [name, { certificate, key }] of certificates) {
      // Replaced in one step: nginx reads it for each handshake.
      const text = `${certificate.trimEnd()}\n${key}`;
      this.#write(join(this.#servedDir, `${name}.pem`), text, this.#options.group);
    }
    for (const file of readdirSync(this.#servedDir)) {
      if (certificates.has(file.replace(/\.pem$/, ''))) continue;
      rmSync(join(this.#servedDir, file), { force: true });
    }
  }

  #write(path: string, text: string, group: number | null): void {
    if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    if (group !== null) this.#protect(`${path}.new`, 0o640);
    renameSync(`${path}.new`, path);
  }

  #protect(path: string, mode: number): void {
    const { group } = this.#options;
    if (group !== null) chownSync(path, 0, group);
    chmodSync(path, group === null ? mode & 0o700 : mode);
  }

  #issuedPath(name: string): string {
    return join(this.#issuedDir, name.replace('*', '_'));
  }

  get #issuedDir(): string {
    return join(this.#options.stateDir, 'certificates');
  }

  get #servedDir(): string {
    return join(this.#options.runtime, 'certificates');
  }
}
