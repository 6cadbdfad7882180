import { BackendError, type DirectoryAgents, NoAnswerError } from '@dstack/backends';
import type { Store } from '@dstack/store';
import { type AgentClient, AgentRefusal, AgentUnreachable } from './agent-client.ts';

export interface DirectoryAgentsOptions {
  readonly store: Pick<Store, 'instances' | 'fleets'>;
  readonly hosts: { client(hostId: string): AgentClient | null };
}

/** The directories of volumes on the hosts that this server is linked to. */
export function directoryAgents({ store, hosts }: DirectoryAgentsOptions): DirectoryAgents {
  const ask = async <T>(
    hostId: string,
    command: (agent: AgentClient) => Promise<T>,
  ): Promise<T> => {
    const agent = hosts.client(hostId);
    if (!agent) throw new NoAnswerError(await unreachableText(store, hostId));
    try {
      return await command(agent);
    } catch (error) {
      throw asBackendError(error);
    }
  };
  return {
    async connectedHosts(fleetId) {
      const view = await store.fleets.byId(fleetId);
      return (view?.instances ?? [])
        .map(({ hostId }) => hostId ?? '')
        .filter((hostId) => hosts.client(hostId) !== null);
    },
    create: (hostId, { id, path, name, project }) =>
      ask(hostId, (agent) => agent.putVolume(id, { path, name, project })),
    async find(hostId, { id, path }) {
      try {
        const state = await ask(hostId, (agent) => agent.volumeState(id, { path }));
        return { usedBytes: state.used_bytes };
      } catch (error) {
        if (codeOf(error) === 'unknown_volume') return null;
        throw error;
      }
    },
    async delete(hostId, { id, path }) {
      const { deleted } = await ask(hostId, (agent) => agent.deleteVolume(id, { path }));
      return deleted ? 'deleted' : 'deleting';
    },
  };
}

async function unreachableText(store: Pick<Store, 'instances'>, hostId: string): Promise<string> {
  const [instance] = await store.instances.byIds([hostId]);
  return `Host ${instance?.name ?? hostId} is not connected`;
}

/** The code of the agent's refusal that caused a `BackendError`. */
function codeOf(error: unknown): string | null {
  const cause = error instanceof BackendError ? error.cause : null;
  return cause instanceof AgentRefusal ? cause.code : null;
}

/**
 * A failure that may pass counts as no answer; a refusal of the agent is final for this attempt.
 */
function asBackendError(error: unknown): unknown {
  if (error instanceof AgentUnreachable) return new NoAnswerError(error.message, { cause: error });
  if (!(error instanceof AgentRefusal)) return error;
  // An agent without support for volumes.
  if (error.code === 'not_found') {
    return new NoAnswerError('The agent of the host is too old to keep volumes', { cause: error });
  }
  return new BackendError(error.message, { cause: error });
}
