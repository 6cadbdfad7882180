import { agentToken, type InstanceAccess } from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import type { Id } from '@dstack/core';
import type { HostAccess, HostAccessRecord } from '@dstack/store';
import type { Hosts } from '../hosts/hosts.ts';
import type { HostConnection } from '../hosts/supervisor/connector.ts';

export type SshRecord = Omit<HostAccessRecord, 'access'> & {
  readonly access: Extract<HostAccess, { kind: 'ssh' }>;
};

export interface SshGatewayHostsOptions {
  readonly hosts: Pick<Hosts, 'add' | 'delete'>;
  /** Opens no connection yet. */
  readonly connect: (record: SshRecord) => HostConnection;
  /** The agents' tokens are derived from it. */
  readonly secret: () => Promise<string>;
  /** The key that a project's machines let in; null = the project was deleted. */
  readonly privateKey: (projectId: Id) => Promise<string | null>;
}

type SshAccess = Extract<InstanceAccess, { readonly kind: 'ssh' }>;

interface Machine {
  readonly address: string;
  readonly connection: HostConnection;
  /** The step that is under way on it before its agent answers, or why it failed; null = unknown. */
  stage: string | null;
}

/** Machines of gateways that the server reaches over SSH, by the ids of their replicas: it installs the agent there. */
export class SshGatewayHosts {
  readonly #options: SshGatewayHostsOptions;
  readonly #machines = new Map<Id, Machine>();
  #closed = false;

  constructor(options: SshGatewayHostsOptions) {
    this.#options = options;
  }

  /** Keeps a link to its agent. Returns what is being done before that answers; null = nothing. */
  async link(replicaId: Id, projectId: Id, access: SshAccess): Promise<string | null> {
    const machine = await this.#machine(replicaId, projectId, access);
    const { dial, token, prepare } = machine.connection;
    await this.#options.hosts.add({
      ...{ hostId: replicaId, dial, token },
      prepare: async () => {
        try {
          await prepare((stage) => {
            machine.stage = stage;
          });
          machine.stage = null;
        } catch (error) {
          machine.stage = errorMessage(error);
          throw error;
        }
      },
    });
    return machine.stage;
  }

  forget(replicaId: Id): void {
    this.#machines.get(replicaId)?.connection.close();
    this.#machines.delete(replicaId);
  }

  /** The server is being stopped: the connections would keep its process alive. */
  close(): void {
    this.#closed = true;
    for (const id of [...this.#machines.keys()]) this.forget(id);
  }

  async #machine(replicaId: Id, projectId: Id, access: SshAccess): Promise<Machine> {
    const { hostname, port, user, hostKey } = access;
    const { connect, secret, privateKey: keyOf } = this.#options;
    const address = `${hostname}:${port}`;
    const privateKey = await keyOf(projectId);
    if (privateKey === null) throw new Error('the project was deleted');
    const token = agentToken(await secret(), replicaId);
    if (this.#closed) throw new Error('the server is being stopped');
    const known = this.#machines.get(replicaId);
    if (known?.address === address) return known;
    // A user has deleted its address, and it has another one.
    if (known) {
      await this.#options.hosts.delete(replicaId);
      this.forget(replicaId);
    }
    const connection = connect({
      ...{ instanceId: replicaId, agentToken: token },
      hostKeys: hostKey === null ? {} : { [address]: hostKey },
      access: {
        ...{ kind: 'ssh', login: { hostname, port, user, privateKey } },
        ...{ proxy: null, internalIp: null, vm: { hostKey } },
      },
    });
    const machine: Machine = { address, connection, stage: null };
    this.#machines.set(replicaId, machine);
    return machine;
  }
}
