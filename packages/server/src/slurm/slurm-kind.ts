import { SlurmBackendConfigWithCreds } from '@dstack/contract/wire';
import { requirementsMatch } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { ClusterKind } from '../capacity/cluster-backends.ts';
import type { DialIns } from '../dial-ins/dial-ins.ts';
import type { Programs } from '../hosts/ssh/programs.ts';
import { ClusterLogins } from './logins.ts';
import { ClusterProgramCopies } from './program-copies.ts';
import type { SlurmServerSettings } from './slurm-settings.ts';

/** Milliseconds that no step of the clock moves; they start high, because 0 stands for long ago. */
const monotonic = (): number => performance.timeOrigin + performance.now();

export interface SlurmKindOptions {
  readonly store: Pick<Store, 'meta'>;
  readonly serverId: string;
  readonly settings: SlurmServerSettings;
  readonly programs: Programs;
  /** Null: agents open no connections to the server. */
  readonly dialIns: Pick<DialIns, 'take'> | null;
}

/** All backends of a server share the connections to login nodes. */
export function slurmKind(options: SlurmKindOptions): ClusterKind {
  const { store, serverId, settings, programs, dialIns } = options;
  const logins = new ClusterLogins(store.meta);
  const copies = new ClusterProgramCopies(logins, programs);
  return {
    type: 'slurm',
    open: async (config, secret) => {
      const { agentInstance, openSlurm } = await import('@dstack/backends/slurm');
      const { clusters } = SlurmBackendConfigWithCreds.parse(config);
      for (const cluster of clusters) copies.prepare(cluster);
      return openSlurm({
        ...{ serverId, secret, matches: requirementsMatch, now: monotonic },
        hostJobs: settings.hostJobs,
        dialOut:
          settings.dialOutUrl === null || dialIns === null
            ? null
            : {
                url: settings.dialOutUrl,
                take: (job, rank, ms) => dialIns.take(agentInstance(job, rank), ms),
              },
        clusters,
        connect: (cluster) => logins.connect(cluster),
        deliver: (cluster, delivery) => copies.deliver(cluster, delivery),
      });
    },
    close: () => logins.close(),
  };
}
