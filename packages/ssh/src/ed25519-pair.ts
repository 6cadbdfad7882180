import ssh2 from 'ssh2';

export interface Ed25519Pair {
  /** In OpenSSH's own format. */
  readonly privateKey: string;
  /** A line of `authorized_keys`. */
  readonly publicKey: string;
}

/**
 * A new pair. ssh2 1.17 drops a leading zero byte of the public half, so that one pair of 256
 * cannot be read: such a pair is discarded.
 */
export function newEd25519Pair(comment: string): Ed25519Pair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    if (ssh2.utils.parseKey(pair.private) instanceof Error) continue;
    return { privateKey: pair.private, publicKey: pair.public };
  }
}
