import type { BackendHost, SshOpener } from '@dstack/backends';
import { JumpHosts, type MayDial, SshConnection } from '@dstack/ssh';

export interface SshOpenerOptions {
  /** For what users have named. */
  readonly mayDial: MayDial;
  readonly jumps?: Pick<JumpHosts, 'openTunnel'>;
}

/** SSH connections for adapters, with the connections to jump hosts shared. */
export function sshOpener({ mayDial, jumps = new JumpHosts() }: SshOpenerOptions): SshOpener {
  return {
    open: async ({ login, keys, jump, mayReachServer }) => {
      const guard = mayReachServer ? {} : { mayDial };
      const tunnel =
        jump && (await jumps.openTunnel(jump.login, { ...jump.keys, ...guard }, login));
      return await SshConnection.open({ login, tunnel, ...keys, ...guard });
    },
  };
}

/** The services that the server offers to backend adapters, including SSH connections. */
export function backendHost({
  mayDial,
  ...parts
}: Omit<BackendHost, 'ssh'> & Pick<SshOpenerOptions, 'mayDial'>): BackendHost {
  return { ...parts, ssh: sshOpener({ mayDial }) };
}
