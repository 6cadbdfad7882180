import { SlurmBackendConfigWithCreds } from '@dstack/contract/wire';
import { requirementsMatch } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { ClusterKind } from '../capacity/cluster-backends.ts';
import type { Programs } from '../hosts/ssh/programs.ts';
import { ClusterLogins } from './logins.ts';
import { ClusterProgramCopies } from './program-copies.ts';
import type { SlurmServerSettings } from './slurm-settings.ts';

export interface SlurmKindOptions {
  readonly store: Pick<Store, 'meta'>;
  readonly serverId: string;
  readonly settings: SlurmServerSettings;
  readonly programs: Programs;
}

/** All backends of a server share the connections to login nodes. */
export function slurmKind({ store, serverId, settings, programs }: SlurmKindOptions): ClusterKind {
  const logins = new ClusterLogins(store.meta);
  const copies = new ClusterProgramCopies(logins, programs);
  return {
    type: 'slurm',
    open: async (config, secret) => {
      const { openSlurm } = await import('@dstack/backends/slurm');
      return openSlurm({
        ...{ serverId, secret, matches: requirementsMatch, now: Date.now, ...settings },
        clusters: SlurmBackendConfigWithCreds.parse(config).clusters,
        connect: (cluster) => logins.connect(cluster),
        deliver: (cluster) => copies.deliver(cluster),
      });
    },
    close: () => logins.close(),
  };
}
