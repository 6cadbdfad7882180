import type { StoreContext } from '../context/context.ts';
import { refreshPools } from './refresh.ts';
import { recordServerHost } from './server-hosts.ts';
import type { Pools } from './types.ts';

export function createPools(context: StoreContext): Pools {
  return {
    shareServerHost: (host) =>
      context.write(async (write) => {
        await recordServerHost(write.tx, host, context.now());
        await refreshPools(context, write);
      }),
  };
}
