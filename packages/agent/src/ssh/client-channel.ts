import type { Connection, ServerChannel } from 'ssh2';

type Opened = (error: Error | undefined, channel: ServerChannel) => void;

/** Internal parts of ssh2's server for channels of this kind. */
interface Internals {
  readonly _chanMgr: { add(opened: Opened & { type?: string }): number };
  readonly _protocol: {
    openssh_authAgent(channel: number, window: number, packet: number): void;
  };
}

const AGENT = 'auth-agent@openssh.com';
/** The window and packet size that ssh2 gives all its channels. */
const WINDOW = 2 * 1024 * 1024;
const PACKET = 32 * 1024;

/** Opens a channel to the agent that holds the client's keys (`ssh -A`). */
export function openAgentChannel(client: Connection): Promise<ServerChannel> {
  const { _chanMgr, _protocol } = client as unknown as Internals;
  return new Promise((resolve, reject) => {
    const opened: Opened & { type?: string } = (error, channel) =>
      error ? reject(error) : resolve(channel);
    opened.type = AGENT;
    const id = _chanMgr.add(opened);
    if (id < 0) reject(new Error('no free channel'));
    else _protocol.openssh_authAgent(id, WINDOW, PACKET);
  });
}
