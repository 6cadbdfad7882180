import type { Duplex } from 'node:stream';
import type { ServerChannel } from 'ssh2';
import { countUntilClosed } from './channel-limits.ts';
import { endWith } from './join-connections.ts';

/** Joins a connection and a channel that the client has not confirmed yet. */
export function joinWhenOpen(connection: Duplex, opening: Promise<ServerChannel>): void {
  // The connection may end before the client has answered.
  connection.on('error', () => connection.destroy());
  opening.then(
    (channel) => {
      if (connection.destroyed) channel.destroy();
      else joinChannel(channel, connection);
    },
    () => connection.destroy(),
  );
}

/**
 * Joins a forwarded channel and its connection. Each direction ends by itself, since a client may
 * have finished sending and still read. An error ends both.
 */
export function joinChannel(channel: ServerChannel, connection: Duplex): void {
  connection.pipe(channel, { end: false });
  channel.pipe(connection);
  let [sent, received] = [false, false];
  const closeWhenDone = () => {
    if (sent && received) channel.end();
  };
  connection.once('end', () => {
    // Ends after the pending data. `channel.end()` would close both directions.
    channel.write('', () => {
      channel.eof();
      sent = true;
      closeWhenDone();
    });
  });
  channel.once('end', () => {
    received = true;
    closeWhenDone();
  });
  connection.once('error', () => channel.destroy());
  connection.once('close', () => {
    if (!sent && !connection.readableEnded) channel.destroy();
  });
  channel.once('error', () => connection.destroy());
  channel.once('close', () => {
    // ssh2 ends the channels of a client that was lost or hung up too.
    if (!sent || !received) connection.destroy();
  });
  endWith(channel, connection);
  countUntilClosed(channel, connection);
}
