import { closeSync, openSync, readSync } from 'node:fs';

/** A listening TCP socket in `/proc/net/tcp` or `/proc/net/tcp6`. */
export interface TcpListener {
  /** In the kernel's hexadecimal form, 8 or 32 digits. */
  readonly address: string;
  readonly port: number;
  /** User id of its creator. */
  readonly uid: number;
}

const LISTENING = '0A';
const ANY_4 = '00000000';
const ANY_6 = '0'.repeat(32);
const LOOPBACK_6 = '00000000000000000000000001000000';
const MAPPED = '0000000000000000FFFF0000';
const PIECE = 64 * 1024;

/** Parses the listeners in such a file. The kernel writes them before all other sockets. */
export function parseListeners(text: string): TcpListener[] {
  const found: TcpListener[] = [];
  for (const line of text.split('\n').slice(1)) {
    const [, local = '', , state, , , , uid] = line.trim().split(/\s+/);
    if (state !== LISTENING) break;
    const [address = '', port = ''] = local.split(':');
    found.push({ address, port: Number.parseInt(port, 16), uid: Number(uid) });
  }
  return found;
}

/**
 * The listeners that would accept a connection to this address. A listener at the address itself wins
 * over one at all addresses. `localhost` is 127.0.0.1, or ::1 if nothing listens there.
 */
export function listenersAt(
  address: string,
  port: number,
  listeners: readonly TcpListener[],
): readonly TcpListener[] {
  const of = (...forms: readonly string[]) =>
    listeners.filter((each) => each.port === port && forms.includes(each.address));
  const four = hexOf(address === 'localhost' ? '127.0.0.1' : address);
  const own = of(four, MAPPED + four);
  if (own.length > 0) return own;
  const any = of(ANY_4, ANY_6);
  return any.length > 0 || address !== 'localhost' ? any : of(LOOPBACK_6);
}

/** All listeners in the network namespace of this process. */
export function tcpListeners(): readonly TcpListener[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => parseListeners(readStart(path)));
}

/** Reads the file up to the first other socket, since there may be very many of those. */
function readStart(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    // A machine without IPv6.
    return '';
  }
  try {
    let text = '';
    for (const piece = Buffer.alloc(PIECE); ; ) {
      const length = readSync(fd, piece);
      text += piece.toString('latin1', 0, length);
      const lines = text.split('\n');
      const last = lines.at(-2)?.trim().split(/\s+/)[3] ?? LISTENING;
      if (length === 0 || (lines.length > 2 && last !== LISTENING)) return text;
    }
  } finally {
    closeSync(fd);
  }
}

/** IPv4 in the host's byte order, which is little-endian on all supported hosts. */
function hexOf(address: string): string {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return bytes.reverse().join('').toUpperCase();
}
