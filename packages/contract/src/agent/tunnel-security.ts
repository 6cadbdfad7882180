/**
 * Tunnels to an agent whose network belongs to others: TLS with a key that only server and agent
 * have, the agent's token (RFC 4279, with the cipher of RFC 7905), so that neither needs a
 * certificate.
 */
export const TUNNEL_TLS = {
  /** With fresh keys for each connection: a token that leaks later opens no recorded one. */
  ciphers: 'ECDHE-PSK-CHACHA20-POLY1305',
  /** Version 1.3 has no cipher suites of its own for shared keys in Node. */
  maxVersion: 'TLSv1.2',
  /** There are no certificates. Without this list, Node reads all that the computer trusts. */
  ca: [] as string[],
} as const;

/** The name of the shared key. */
export const TUNNEL_IDENTITY = 'dstack';

/** The protocol inside: HTTP/2. */
export const TUNNEL_PROTOCOLS = ['h2'];

/** The event in the agent's log once its port accepts connections. */
export const TUNNEL_LISTENING = 'tunnel listening';
