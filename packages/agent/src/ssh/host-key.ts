import ssh2 from 'ssh2';

/** A new Ed25519 host key, in the text form of OpenSSH. */
export function generateHostKey(): string {
  return ssh2.utils.generateKeyPairSync('ed25519').private;
}

/** `<type> <base64>` of its public half, as in `known_hosts`. Throws for what is no key. */
export function publicKeyOf(pem: string): string {
  const key = ssh2.utils.parseKey(pem);
  if (key instanceof Error) throw key;
  return `${key.type} ${key.getPublicSSH().toString('base64')}`;
}
