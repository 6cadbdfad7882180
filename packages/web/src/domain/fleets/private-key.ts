/** A key that cannot be used for a fleet, with what to do about it. */
export class PrivateKeyError extends Error {
  override readonly name = 'PrivateKeyError';
}

const BEGIN = '-----BEGIN OPENSSH PRIVATE KEY-----';
const END = '-----END OPENSSH PRIVATE KEY-----';
const MAGIC = 'openssh-key-v1\0';

export interface OpenSshPair {
  readonly public: string;
  readonly private: string;
}

/**
 * The pair of a private key in the format of OpenSSH, which contains the public key in plain form. The
 * server compares public keys to notice a changed key.
 *
 * @throws PrivateKeyError
 */
export function keyPairOf(text: string): OpenSshPair {
  const key = text.trim();
  if (!key.startsWith(BEGIN) || !key.endsWith(END)) {
    throw new PrivateKeyError(
      key.startsWith('-----BEGIN')
        ? 'The private key is not in the format of OpenSSH. Convert a copy of it: ssh-keygen -p -f KEY'
        : `The private key must begin with ${BEGIN}`,
    );
  }
  const bytes = decoded(key.slice(BEGIN.length, -END.length));
  const reader = new KeyReader(bytes);
  if (reader.take(MAGIC.length) !== MAGIC) throw damaged();
  if (reader.text() !== 'none') {
    throw new PrivateKeyError(
      'The private key is protected by a passphrase. Remove it from a copy: ssh-keygen -p -f KEY',
    );
  }
  reader.text();
  reader.text();
  reader.number();
  const blob = reader.text();
  const type = new KeyReader(blob).text();
  return { public: `${type} ${btoa(blob)}`, private: `${key}\n` };
}

const damaged = () => new PrivateKeyError('The private key is damaged or not complete');

function decoded(base64: string): string {
  try {
    return atob(base64.replaceAll(/\s/g, ''));
  } catch {
    throw damaged();
  }
}

/** Reads numbers and texts with their length in front, from one character per byte. */
class KeyReader {
  readonly #bytes: string;
  #at = 0;

  constructor(bytes: string) {
    this.#bytes = bytes;
  }

  take(length: number): string {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw damaged();
    const part = this.#bytes.slice(this.#at, end);
    this.#at = end;
    return part;
  }

  number(): number {
    return [...this.take(4)].reduce((sum, char) => sum * 256 + char.charCodeAt(0), 0);
  }

  text(): string {
    return this.take(this.number());
  }
}
