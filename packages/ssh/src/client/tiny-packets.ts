import type ssh2 from 'ssh2';

/** The smallest packet size of a channel that is accepted; programs announce 16 KiB and more. */
const MIN_PACKET = 256;

interface Opening {
  readonly packetSize: number;
}

type Handler = (protocol: unknown, opening: Opening) => void;

/** Private parts of ssh2. */
interface Insides {
  readonly _protocol?: { readonly _handlers: Record<string, Handler | undefined> };
}

/**
 * Ends the connection to a host that accepts almost no data per packet. With a size of 0, ssh2 1.17
 * splits data into empty packets in an endless loop, which blocks this server. Call it once the
 * client was asked to connect.
 */
export function refuseTinyPackets(client: ssh2.Client): void {
  const handlers = (client as unknown as Insides)._protocol?._handlers;
  const confirm = handlers?.CHANNEL_OPEN_CONFIRMATION;
  if (!handlers || !confirm) throw new Error('ssh2 has other insides than this was written for');
  handlers.CHANNEL_OPEN_CONFIRMATION = (protocol, opening) => {
    if (opening.packetSize >= MIN_PACKET) confirm(protocol, opening);
    else client.destroy();
  };
}
