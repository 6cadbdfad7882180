import type { BackendHost, SshOpener } from '@dstack/backends';
import { JumpHosts, SshConnection } from '@dstack/ssh';

/** SSH connections for adapters, with the connections to jump hosts shared. */
export function sshOpener(jumps: Pick<JumpHosts, 'openTunnel'> = new JumpHosts()): SshOpener {
  return {
    open: async ({ login, keys, jump }) => {
      const tunnel = jump && (await jumps.openTunnel(jump.login, jump.keys, login));
      return await SshConnection.open({ login, tunnel, ...keys });
    },
  };
}

/** What the server does for adapters. */
export function backendHost(parts: Omit<BackendHost, 'ssh'>): BackendHost {
  return { ...parts, ssh: sshOpener() };
}
