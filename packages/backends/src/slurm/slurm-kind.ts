import { SlurmBackendConfigWithCreds } from '@dstack/contract/wire';
import { requirementsMatch } from '@dstack/core';
import type { BackendHost, BackendKind, BackendOpener } from '../base/kind.ts';
import { SLURM_VARIABLES, type SlurmServerSettings, slurmSettings } from './slurm-settings.ts';

/** Milliseconds that no step of the clock moves; they start high, because 0 stands for long ago. */
const monotonic = (): number => performance.timeOrigin + performance.now();

export const slurmKind: BackendKind = {
  type: 'slurm',
  variables: SLURM_VARIABLES,
  configure: (env, { url }) => {
    const settings = slurmSettings(env, url);
    return {
      type: 'slurm',
      ...(settings.dialOutUrl !== null && {
        dialIn: async () => (await import('./agent-instance.ts')).isAgentInstance,
      }),
      load: (host) => openerOf(host, settings),
    };
  },
};

/** All backends of a server share the connections to login nodes. */
async function openerOf(host: BackendHost, settings: SlurmServerSettings): Promise<BackendOpener> {
  const [{ openSlurm }, { agentInstance }, { ClusterLogins }, { ClusterProgramCopies }] =
    await Promise.all([
      import('./slurm.ts'),
      import('./agent-instance.ts'),
      import('./logins.ts'),
      import('./program-copies.ts'),
    ]);
  const { serverId, programs, dialIns } = host;
  const { hostJobs, dialOutUrl: url } = settings;
  const logins = new ClusterLogins(host);
  const copies = new ClusterProgramCopies(logins, programs);
  return {
    open: async (config, secret, { isOperators }) => {
      const parsed = SlurmBackendConfigWithCreds.parse(config);
      const clusters = parsed.clusters.map((cluster) => ({ ...cluster, isOperators }));
      for (const cluster of clusters) copies.prepare(cluster);
      return openSlurm({
        ...{ serverId, secret, clusters, hostJobs, matches: requirementsMatch, now: monotonic },
        rates: parsed.price ?? null,
        dialOut:
          url === null || dialIns === null
            ? null
            : { url, take: (job, rank, ms) => dialIns.take(agentInstance(job, rank), ms) },
        connect: (cluster) => logins.connect(cluster),
        deliver: (cluster, delivery) => copies.deliver(cluster, delivery),
      });
    },
    close: () => logins.close(),
  };
}
