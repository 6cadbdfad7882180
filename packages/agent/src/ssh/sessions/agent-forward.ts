import { randomBytes } from 'node:crypto';
import type { SessionAccount, SessionHost } from '../../executor/session-host.ts';
import { openAgentChannel } from '../client-channel.ts';
import { joinWhenOpen } from '../forward.ts';
import { listenOnSocket, makePrivateDirectory } from '../job-sockets.ts';
import type { SessionRequest } from '../session.ts';

/**
 * Lends the client's keys to a session: a socket in the job that only its user can reach, each
 * connection to it a channel to the client's agent. Resolves with the variable that names it, with
 * none when the job's files are out of reach. The socket is gone with the client.
 */
export async function forwardAgent(
  host: SessionHost,
  account: SessionAccount,
  request: SessionRequest,
): Promise<Record<string, string>> {
  const root = host.root();
  if (!request.forwardsAgent || !root) return {};
  const path = `/tmp/dstack-agent-${randomBytes(8).toString('hex')}`;
  try {
    const directory = makePrivateDirectory(root, path, account);
    const socket = `${path}/agent`;
    // The job may have put a link in place of the directory by now.
    const own = { ...root, owner: root.hostUid(account.uid) };
    const listener = await listenOnSocket(own, socket, account, (connection) => {
      joinWhenOpen(connection, openAgentChannel(request.client));
    });
    void request.hungUp.then(() => {
      listener.close();
      try {
        directory.remove();
      } catch {
        // The job has put something there, or has ended with all of its files.
      }
    });
    return { SSH_AUTH_SOCK: socket };
  } catch {
    // An image without /tmp, a full disk: the session goes on without keys, as with OpenSSH.
    return {};
  }
}
