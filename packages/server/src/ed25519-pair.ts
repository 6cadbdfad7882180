import ssh2 from 'ssh2';

export interface Ed25519Pair {
  /** In OpenSSH's own form. */
  readonly privateKey: string;
  /** A line of `authorized_keys`. */
  readonly publicKey: string;
}

/**
 * A new pair. ssh2 1.17 drops a leading zero byte of the public half, so that one pair of 256 can be
 * read by nobody: such a one is thrown away.
 */
export function newEd25519Pair(comment: string): Ed25519Pair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    if (ssh2.utils.parseKey(pair.private) instanceof Error) continue;
    return { privateKey: pair.private, publicKey: pair.public };
  }
}
