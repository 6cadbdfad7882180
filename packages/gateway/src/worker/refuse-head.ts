/** Requests that Node cannot read: nginx has checked their form, but not the sum of their headers. */
import type { Duplex } from 'node:stream';
import { ProxyRefusal, refuseUpgrade } from '@dstack/proxy';

export function refuseHead({ code }: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  refuseUpgrade(socket, refusalOf(code));
}

function refusalOf(code: string | undefined): ProxyRefusal {
  return code === 'HPE_HEADER_OVERFLOW'
    ? new ProxyRefusal(431, 'The headers of the request are larger than 64 KiB')
    : new ProxyRefusal(400, 'The request is malformed');
}
