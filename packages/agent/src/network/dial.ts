import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

const CONNECT_MS = 10_000;

/** A TCP connection; `localhost` tries IPv4 and then IPv6. Rejects with Node's own error. */
export function dialTcp(host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      autoSelectFamily: true,
      allowHalfOpen: true,
      noDelay: true,
    });
    const timer = setTimeout(
      () => socket.destroy(new Error(`connecting to ${host}:${port} took over ${CONNECT_MS} ms`)),
      CONNECT_MS,
    );
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
