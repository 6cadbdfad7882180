import type { Connection } from 'ssh2';

/** Reason code of RFC 4254. */
const ADMINISTRATIVELY_PROHIBITED = 1;

/** Private parts of ssh2. */
interface Insides {
  readonly _protocol: {
    channelOpenFail(recipient: number, reason: number, description: string): void;
  };
}

/** Refuses a channel with a text for the user, which OpenSSH prints. ssh2 alone sends no text. */
export function refuseChannel(client: Connection, reject: () => void, text: string): void {
  const { _protocol: protocol } = client as unknown as Insides;
  const send = protocol.channelOpenFail;
  protocol.channelOpenFail = (recipient) =>
    send.call(protocol, recipient, ADMINISTRATIVELY_PROHIBITED, text);
  try {
    reject();
  } finally {
    protocol.channelOpenFail = send;
  }
}
