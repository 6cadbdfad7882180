import { BackendError } from '@dstack/backends';
import type { Id } from '@dstack/core';
import type { Channel } from '@dstack/ssh';
import type { Store } from '@dstack/store';
import type { ProjectBackends } from '../../offers/project-backends.ts';

/** Connections to agents that only the API of their backend reaches. */
export function dialByBackend(
  store: Pick<Store, 'instances'>,
  find: ProjectBackends['find'],
): (instanceId: Id, token: string) => Promise<Channel> {
  return async (instanceId, token) => {
    const [instance] = await store.instances.byIds([instanceId]);
    if (!instance?.handle || instance.backend === null) throw new BackendError('it has no machine');
    const backend = await find(instance.projectId, instance.backend);
    const dial = backend?.instances?.dial;
    if (!dial) throw new BackendError(`backend ${instance.backend} is not configured any more`);
    const stream = await dial(instance.handle, token);
    return Object.assign(stream, { close: () => stream.destroy() });
  };
}
