import { agentToken, jobOfInstance } from '@dstack/backends/slurm';
import type { DialInKind } from '../dial-ins/dial-ins.ts';

/** The agents of Slurm jobs: those of the nodes of one job share a token. */
export function slurmAgents(secret: () => Promise<string>): DialInKind {
  return {
    tokenOf: (instance) => {
      const job = jobOfInstance(instance);
      return job === null ? null : async () => agentToken(await secret(), job);
    },
  };
}
