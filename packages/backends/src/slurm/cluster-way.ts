/** How the server logs in to a cluster. */
import type { RemoteLogin } from '../base/ssh.ts';
import type { SlurmClusterConfig } from './partitions.ts';

const SSH_PORT = 22;

export interface ClusterWay {
  readonly login: RemoteLogin;
  /** Null: it is reached directly. */
  readonly jump: RemoteLogin | null;
  readonly isOperators: boolean;
}

export function wayTo({
  hostname,
  port,
  user,
  private_key: key,
  proxy_jump: jump,
  isOperators = false,
}: SlurmClusterConfig): ClusterWay {
  const { content: privateKey } = key;
  return {
    isOperators,
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

const nameOf = ({ user, hostname, port }: RemoteLogin): string => `${user}@${hostname}:${port}`;
