import type { StoreContext } from '../context.ts';
import { refreshPools } from './refresh.ts';
import type { Pools } from './types.ts';

export function createPools(context: StoreContext): Pools {
  return {
    async shareServerHost(projectNames) {
      context.serverHost.projects = projectNames;
      await context.write((write) => refreshPools(context, write));
    },
  };
}
