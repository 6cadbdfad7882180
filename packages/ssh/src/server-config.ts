import type { ServerConfig } from 'ssh2';

const KEEPALIVE_MS = 30_000;
const KEEPALIVE_COUNT = 4;

/** `hostKeyPem`: private key, unencrypted. */
export const serverConfig = (hostKeyPem: string): ServerConfig => ({
  hostKeys: [hostKeyPem],
  ident: 'dstack',
  keepaliveInterval: KEEPALIVE_MS,
  keepaliveCountMax: KEEPALIVE_COUNT,
  // The other algorithms of ssh2 are slower, and OpenSSH would prefer them.
  algorithms: { cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com'] },
});
