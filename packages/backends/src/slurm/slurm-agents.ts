import type { DialInAgents } from '../base/kind.ts';
import { jobOfInstance } from './agent-instance.ts';
import { agentToken } from './cluster.ts';

/** The agents of Slurm jobs: those of the nodes of one job share a token. */
export function slurmAgents(secret: () => Promise<string>): DialInAgents {
  return {
    tokenOf: (instance) => {
      const job = jobOfInstance(instance);
      return job === null ? null : async () => agentToken(await secret(), job);
    },
  };
}
