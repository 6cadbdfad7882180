import type { AgentPrograms } from '@dstack/backends/kubernetes';
import { KubernetesBackendConfigWithCreds } from '@dstack/contract/wire';
import { requirementsMatch } from '@dstack/core';
import type { ClusterKind } from '../capacity/cluster-backends.ts';
import type { KubernetesServerSettings } from './kubernetes-settings.ts';

export interface KubernetesKindOptions {
  readonly serverId: string;
  readonly settings: KubernetesServerSettings;
  readonly programs: AgentPrograms;
}

export function kubernetesKind({
  serverId,
  settings,
  programs,
}: KubernetesKindOptions): ClusterKind {
  return {
    type: 'kubernetes',
    open: async (given, secret) => {
      const { openKubernetes } = await import('@dstack/backends/kubernetes');
      const config = KubernetesBackendConfigWithCreds.parse(given);
      const matches = requirementsMatch;
      return openKubernetes({ config, serverId, secret, programs, matches, ...settings });
    },
  };
}
