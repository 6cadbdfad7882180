import { connect } from 'node:net';
import type { Id } from '@dstack/core';
import type { MayDial } from '@dstack/ssh';
import { type Channel, ChannelSocket, JumpHosts } from '@dstack/ssh';
import type { Store } from '@dstack/store';
import { AgentClient } from '../agent-client.ts';
import type { Programs } from '../ssh/programs.ts';
import { SshHost, type SshHostOptions } from '../ssh/ssh-host.ts';
import type { Connectors, HostConnection } from './connector.ts';

export interface ConnectorsOptions {
  readonly serverId: string;
  readonly programs: Programs;
  readonly hostAccess: Pick<Store['hostAccess'], 'pin'>;
  /** Guards connections to hosts that users have named. */
  readonly mayDial: MayDial;
  /** Opens a connection to the agent of an instance by the API of its backend. */
  readonly dial: (instanceId: Id, token: string) => Promise<Channel>;
}

/** Opens connections to machines of gateways. */
export function gatewayConnector(
  options: Omit<ConnectorsOptions, 'dial'>,
): (record: SshHostOptions['record']) => HostConnection {
  const jumps = new JumpHosts();
  return (record) => new SshHost({ ...options, record, env: {}, jumps, purpose: 'gateway' });
}

export function agentConnectors({
  serverId,
  programs,
  hostAccess,
  mayDial,
  dial,
}: ConnectorsOptions): Connectors {
  const jumps = new JumpHosts();
  return {
    ssh: ({ access, ...record }, env) => {
      if (access.kind !== 'ssh') throw new Error(`no SSH host: ${access.kind}`);
      return new SshHost({
        record: { ...record, access },
        env,
        serverId,
        programs,
        jumps,
        hostAccess,
        mayDial,
      });
    },
    backend: ({ instanceId, agentToken }) =>
      backendHost(() => dial(instanceId, agentToken), agentToken),
    socket: ({ access, agentToken }) => {
      if (access.kind !== 'socket') throw new Error(`no socket: ${access.kind}`);
      return socketHost(access.path, agentToken);
    },
  };
}

/** An agent of the server host that its backend runs. */
function socketHost(path: string, token: string): HostConnection {
  const dial = () => connect(path);
  const client = new AgentClient({ dial, token });
  return {
    ...{ client, dial, token },
    // The backend starts the agent and ends it with its instance.
    prepare: async () => {},
    remove: async () => {},
    close: () => client.close(),
  };
}

/** An agent that its backend has started in a container of its own, where the API forwards a port. */
function backendHost(open: () => Promise<Channel>, token: string): HostConnection {
  const dial = () => new ChannelSocket(open);
  const client = new AgentClient({ dial, token });
  return {
    ...{ client, dial, token },
    prepare: async () => {},
    remove: async () => {},
    close: () => client.close(),
  };
}
