import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { TUNNEL_IDENTITY, TUNNEL_PROTOCOLS, TUNNEL_TLS } from '@dstack/contract/agent';
import { NoAnswerError } from './errors.ts';

const HANDSHAKE_MS = 10_000;

/** Secures a connection to an agent. Takes over the stream, also after a failure. */
export function secured(stream: Duplex, token: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...TUNNEL_TLS,
      ALPNProtocols: TUNNEL_PROTOCOLS,
      socket: stream,
      pskCallback: () => ({ psk: Buffer.from(token), identity: TUNNEL_IDENTITY }),
      // The shared key proves who the agent is; there is no certificate.
      checkServerIdentity: () => undefined,
    });
    const fail = (why: string) => {
      socket.destroy();
      stream.destroy();
      reject(new NoAnswerError(`the agent does not answer: ${why}`));
    };
    const limit = setTimeout(() => fail('no handshake'), HANDSHAKE_MS);
    const onError = (error: Error) => fail(error.message);
    const onClose = () => fail('the connection was closed');
    socket.once('error', onError);
    socket.once('close', onClose);
    socket.once('secureConnect', () => {
      clearTimeout(limit);
      socket.off('error', onError);
      socket.off('close', onClose);
      socket.on('error', () => {});
      resolve(socket);
    });
    socket.once('close', () => clearTimeout(limit));
  });
}
