import { type Duplex, duplexPair } from 'node:stream';
import ssh2, { type Connection } from 'ssh2';
import { limitChannels } from './channel-limits.ts';
import { serverConfig } from './server-config.ts';

export interface StreamServerOptions {
  /** Private key, unencrypted. */
  readonly hostKeyPem: string;
  /** Channels of the connection. */
  readonly maxChannels: number;
  /** A client that has not logged in yet. The owner of the stream limits its time. */
  readonly serve: (client: Connection) => void;
}

/** An SSH server for one connection without a socket; returns the side of its client. */
export function serveOverStream({ hostKeyPem, maxChannels, serve }: StreamServerOptions): Duplex {
  const [inside, outside] = duplexPair();
  const server = new ssh2.Server(serverConfig(hostKeyPem), (client) => {
    // The close after it is handled.
    client.on('error', () => {});
    limitChannels(client, maxChannels);
    serve(client);
  });
  // ssh2 takes any stream; its types name a socket.
  server.injectSocket(inside as never);
  outside.once('close', () => inside.destroy());
  inside.once('close', () => outside.destroy());
  return outside;
}
