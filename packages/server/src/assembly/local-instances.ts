import { isDeepStrictEqual } from 'node:util';
import { freedomData, type LocalFreedoms } from '@dstack/backends';
import { type InstanceRecord, LOCAL_WITHDRAWN, type Offer } from '@dstack/core';
import type { Store } from '@dstack/store';

/** What the server's machine is to its instances now. */
export interface LocalTerms extends LocalFreedoms {
  /** Projects that may run jobs there, in lower case. */
  readonly projects: ReadonlySet<string>;
}

/**
 * Instances of the server's machine outlive the server, whose settings may have changed since: each
 * gets what holds now. One whose project may not run jobs there any more ends once it is idle.
 */
export async function updateLocalInstances(
  store: Pick<Store, 'instances' | 'projects' | 'engine'>,
  hostId: string,
  terms: LocalTerms,
): Promise<void> {
  for (const instance of await store.instances.onHost(hostId)) {
    const project = await store.projects.byId(instance.projectId);
    const withdrawn = project === null || !terms.projects.has(project.name.toLowerCase());
    const data = { ...freedomData(terms), [LOCAL_WITHDRAWN]: withdrawn };
    await store.engine.updateInstance(instance.id, (now) => {
      const offer = withData(now.instance, data);
      if (offer === null) return null;
      const { id, version } = now.instance;
      return {
        changes: [{ type: 'instance.update', id, version, set: { offer } }],
        signals: [{ kind: 'instance', id }],
      };
    });
  }
}

/** Null: nothing has changed. */
function withData({ offer }: InstanceRecord, data: Offer['backend_data']): Offer | null {
  if (offer === null) return null;
  const backendData = { ...offer.backend_data, ...data };
  if (isDeepStrictEqual(backendData, offer.backend_data)) return null;
  return { ...offer, backend_data: backendData };
}
