import type ssh2 from 'ssh2';

/** Fewest bytes of data in a packet that the other side must take; programs take 16 KiB and more. */
const MIN_PACKET = 256;

interface Opening {
  readonly packetSize: number;
}

type Handler = (protocol: unknown, opening: Opening) => void;

/** Parts of ssh2 that are not for its users. */
interface Insides {
  readonly _protocol?: { readonly _handlers: Record<string, Handler | undefined> };
}

/**
 * Ends the connection to a host that takes packets of next to no data: of a channel that takes none
 * ssh2 1.17 cuts data into pieces of no length for ever, and nothing else runs in this server again.
 * To be called once the client was told to connect.
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
