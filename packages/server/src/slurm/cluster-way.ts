/** How the server logs in to a cluster. */
import type { SlurmClusterConfig } from '@dstack/backends/slurm';
import type { SshLogin } from '@dstack/store';

const SSH_PORT = 22;

export interface ClusterWay {
  readonly login: SshLogin;
  /** Null: it is reached directly. */
  readonly jump: SshLogin | null;
}

export function wayTo({
  hostname,
  port,
  user,
  private_key: key,
  proxy_jump: jump,
}: SlurmClusterConfig): ClusterWay {
  const { content: privateKey } = key;
  return {
    login: { hostname, port: port ?? SSH_PORT, user, privateKey },
    jump: jump
      ? {
          ...{ hostname: jump.hostname, port: jump.port ?? SSH_PORT, user: jump.user },
          privateKey: jump.private_key?.content ?? privateKey,
        }
      : null,
  };
}

/** The same for clusters with one login. */
export function nameOfWay({ login, jump }: ClusterWay): string {
  return [login, ...(jump ? [jump] : [])].map(nameOf).join(' by ');
}

const nameOf = ({ user, hostname, port }: SshLogin): string => `${user}@${hostname}:${port}`;
