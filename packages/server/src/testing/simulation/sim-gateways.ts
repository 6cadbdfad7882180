/** The gateways of a simulation: their rows, and which server is linked to the program of each. */
import { GatewayConfiguration } from '@dstack/contract/wire';
import type { ProjectRecord, Store } from '@dstack/store';
import { GatewayProgram } from '../../gateways/testing/gateway-program.ts';
import type { AgentClient } from '../../hosts/agent-client.ts';
import type { SimClock } from './sim-clock.ts';

export interface SimGatewaysParts {
  readonly clock: SimClock;
  readonly newId: () => string;
  readonly now: () => number;
}

/** The only replica of a gateway, and its program. */
export interface SimGateway {
  readonly name: string;
  readonly id: string;
  readonly projectId: string;
  readonly replicaId: string;
  /** Its services have names below this. */
  readonly domain: string;
  readonly program: GatewayProgram;
  /** The server that is linked to it. */
  server: object | null;
}

export class SimGateways {
  readonly #parts: SimGatewaysParts;
  readonly #all: SimGateway[] = [];

  constructor(parts: SimGatewaysParts) {
    this.#parts = parts;
  }

  get all(): readonly SimGateway[] {
    return this.#all;
  }

  /** The gateway of a project's own, if it has one. */
  of(projectId: string): SimGateway | null {
    return this.#all.find((one) => one.projectId === projectId) ?? null;
  }

  byReplica(replicaId: string): SimGateway | null {
    return this.#all.find((one) => one.replicaId === replicaId) ?? null;
  }

  /** One gateway for each of the projects, which runs already. */
  async make(store: Store, projects: readonly ProjectRecord[]): Promise<void> {
    for (const { id: projectId, name: project } of projects) {
      const { newId, now } = this.#parts;
      const name = `edge-${project}`;
      const [id, replicaId] = [newId(), newId()];
      const configuration = GatewayConfiguration.parse({
        ...{ type: 'gateway', name, backend: 'aws', region: 'eu-west-1' },
        ...{ domain: `*.${project}.test`, certificate: null },
      });
      await store.gateways.insert(projectId, { exact: name }, () => ({
        gateway: {
          ...{ id, projectId, name, backend: 'aws', region: 'eu-west-1', configuration },
          ...{ status: 'running', statusMessage: null, wildcardDomain: `*.${project}.test` },
          ...{ hostname: null, backendData: null, scaleOutAttempt: 0, createdAt: now() },
          ...{ lastProcessedAt: now(), toBeDeleted: false, deleted: false },
          ...{ nextPassAt: null, version: 0 },
        },
      }));
      await store.gateways.insertReplica({
        ...{ id: replicaId, gatewayId: id, replicaNum: 0, status: 'running', statusMessage: null },
        ...{ backend: 'aws', region: 'eu-west-1', instanceId: replicaId, backendData: null },
        ...{ hostname: '192.0.2.1', sshPublicKey: '', sshPrivateKey: '', scaleIn: false },
        ...{ attempt: 0, appUpdatedAt: null, createdAt: now(), lastProcessedAt: now() },
        ...{ deleted: false, nextPassAt: null, version: 0 },
      });
      const program = new GatewayProgram();
      const domain = `.${project}.test`;
      this.#all.push({ name, id, projectId, replicaId, domain, program, server: null });
    }
  }

  /** The way to the program of a replica for this server; null: another one is linked to it. */
  agentFor(server: object, replicaId: string): AgentClient | null {
    const gateway = this.byReplica(replicaId);
    if (gateway === null || (gateway.server ?? server) !== server) return null;
    const { agent } = gateway.program;
    const opened: Pick<AgentClient, 'putGateway' | 'openGateway'> = {
      putGateway: (...args) => agent.putGateway(...args),
      openGateway: async (id) => {
        if ((gateway.server ?? server) !== server) throw new Error('another server was first');
        gateway.server = server;
        return await agent.openGateway(id);
      },
    };
    return opened as AgentClient;
  }

  isElsewhere(server: object, replicaId: string): boolean {
    return (this.byReplica(replicaId)?.server ?? server) !== server;
  }

  /** A server has ended. */
  left(server: object): void {
    for (const gateway of this.#all) if (gateway.server === server) gateway.server = null;
  }

  /** Sends messages of the program to the server that it is linked to; returns whether there is one. */
  send(gateway: SimGateway, messages: readonly object[]): boolean {
    const { program, server } = gateway;
    if (server === null || !program.isLinked) return false;
    this.#parts.clock.deliver(server, () => {
      if (gateway.server === server) program.send(...messages);
    });
    return true;
  }
}
