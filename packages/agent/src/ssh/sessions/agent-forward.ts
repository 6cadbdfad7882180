import { randomBytes } from 'node:crypto';
import { joinWhenOpen } from '@dstack/ssh';
import type { SessionAccount, SessionHost } from '../../executor/session-host.ts';
import { openAgentChannel } from '../client-channel.ts';
import { listenOnSocket, makePrivateDirectory } from '../job-sockets.ts';
import type { SessionRequest } from '../session.ts';

/**
 * Forwards the client's SSH agent to a session: by a socket in the job that only its user can
 * reach. Each connection to it becomes a channel to the client's agent. Resolves with the variable
 * that names the socket, or with none if the job's files are not accessible. The socket is removed
 * with the client.
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
    // The job may have replaced the directory by a link.
    const own = { ...root, owner: root.hostUid(account.uid) };
    const listener = await listenOnSocket(own, socket, account, (connection) => {
      joinWhenOpen(connection, openAgentChannel(request.client));
    });
    void request.hungUp.then(() => {
      listener.close();
      try {
        directory.remove();
      } catch {
        // The job has put files there, or has ended.
      }
    });
    return { SSH_AUTH_SOCK: socket };
  } catch {
    // An image without /tmp, or a full disk: the session continues without keys, as with OpenSSH.
    return {};
  }
}
