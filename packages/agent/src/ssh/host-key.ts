import ssh2 from 'ssh2';

/**
 * A new Ed25519 host key, in the text form of OpenSSH. ssh2 1.17 drops a leading zero byte of the
 * public half, so that one key in 256 is unreadable. Such a key is discarded.
 */
export function generateHostKey(): string {
  for (;;) {
    const { private: key } = ssh2.utils.generateKeyPairSync('ed25519');
    if (isKey(key)) return key;
  }
}

export function isKey(pem: string): boolean {
  return !(ssh2.utils.parseKey(pem) instanceof Error);
}

/** `<type> <base64>` of its public half, as in `known_hosts`. Throws if the text is not a key. */
export function publicKeyOf(pem: string): string {
  const key = ssh2.utils.parseKey(pem);
  if (key instanceof Error) throw key;
  return `${key.type} ${key.getPublicSSH().toString('base64')}`;
}
