import { KubernetesBackendConfigWithCreds } from '@dstack/contract/wire';
import { requirementsMatch } from '@dstack/core';
import type { BackendKind } from '../base/kind.ts';
import { KUBERNETES_VARIABLES, kubernetesSettings } from './kubernetes-settings.ts';
import { kubeconfigProblem } from './server-files.ts';

export const kubernetesKind: BackendKind = {
  type: 'kubernetes',
  variables: KUBERNETES_VARIABLES,
  problem: (config, allowed) =>
    config.type === 'kubernetes' ? kubeconfigProblem(config.kubeconfig.data, allowed) : null,
  configure: (env) => {
    const settings = kubernetesSettings(env);
    return {
      type: 'kubernetes',
      load: async ({ serverId, programs }) => {
        const { openKubernetes } = await import('./kubernetes.ts');
        return {
          open: async (given, secret) => {
            const config = KubernetesBackendConfigWithCreds.parse(given);
            const matches = requirementsMatch;
            return openKubernetes({ config, serverId, secret, programs, matches, ...settings });
          },
        };
      },
    };
  },
};
