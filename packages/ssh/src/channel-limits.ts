import type { Duplex } from 'node:stream';
import type { Connection, ServerChannel } from 'ssh2';

/**
 * The smallest maximum packet size that is accepted, in bytes; programs announce 16 KiB and more.
 */
const MIN_PACKET = 256;

/** Reason codes: of RFC 4254 for a refused channel, of RFC 4253 for a disconnect. */
const [CONNECT_FAILED, RESOURCE_SHORTAGE] = [2, 4];
const PROTOCOL_ERROR = 2;

interface Opening {
  readonly sender: number;
  readonly packetSize: number;
}

type Handler = (protocol: Protocol, opening: Opening) => void;

interface Protocol {
  readonly _handlers: Record<string, Handler | undefined>;
  channelOpenFail(recipient: number, reason: number, description: string): void;
  disconnect(reason: number): void;
}

/** Private parts of ssh2. */
interface Insides {
  readonly _protocol: Protocol;
  readonly _chanMgr: { readonly _count: number };
}

/** Connections that are open although the channels that they were joined with are closed, by client. */
const leftOpen = new WeakMap<object, number>();

/** Makes the limit count the channel until the connection, for which it was opened, is closed as well. */
export function countUntilClosed(channel: ServerChannel, connection: Duplex): void {
  const { _client: client } = channel as unknown as { readonly _client?: Connection };
  if (!client) return;
  const add = (change: number) => leftOpen.set(client, (leftOpen.get(client) ?? 0) + change);
  channel.once('close', () => {
    if (connection.closed) return;
    add(1);
    connection.once('close', () => add(-1));
  });
}

/**
 * Limits the number of channels (with `countUntilClosed` also of their connections), and refuses channels with a tiny maximum packet size: with a size of
 * 0, ssh2 1.17 splits data into empty packets in an endless loop, which blocks the whole process.
 */
export function limitChannels(connection: Connection, maxChannels: number): void {
  const { _protocol, _chanMgr: channels } = connection as unknown as Insides;
  const { _handlers: handlers } = _protocol;
  const { CHANNEL_OPEN: open, CHANNEL_OPEN_CONFIRMATION: confirm } = handlers;
  if (!open || !confirm || typeof channels._count !== 'number') {
    throw new Error('this version of ssh2 is not supported: its private parts have changed');
  }
  // Each session listens for the end of its connection.
  connection.setMaxListeners(maxChannels + 10);
  handlers.CHANNEL_OPEN = (protocol, opening) => {
    const { sender, packetSize } = opening;
    if (packetSize < MIN_PACKET) protocol.channelOpenFail(sender, CONNECT_FAILED, 'tiny packets');
    else if (channels._count + (leftOpen.get(connection) ?? 0) < maxChannels)
      open(protocol, opening);
    else protocol.channelOpenFail(sender, RESOURCE_SHORTAGE, 'too many channels');
  };
  handlers.CHANNEL_OPEN_CONFIRMATION = (protocol, opening) => {
    if (opening.packetSize >= MIN_PACKET) return confirm(protocol, opening);
    protocol.disconnect(PROTOCOL_ERROR);
    connection.end();
  };
}
