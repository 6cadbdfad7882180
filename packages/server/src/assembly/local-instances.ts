import { isDeepStrictEqual } from 'node:util';
import { freedomData, type LocalFreedoms, localInstanceName } from '@dstack/backends';
import { type InstanceRecord, LOCAL_WITHDRAWN, type Offer } from '@dstack/core';
import type { Store } from '@dstack/store';

/** The present rules for instances on the server's machine. */
export interface LocalTerms extends LocalFreedoms {
  /** Projects that may run jobs there, in lower case. */
  readonly projects: ReadonlySet<string>;
  readonly executor: 'docker' | 'process';
}

/**
 * Instances of the server's machine outlive the server, whose settings may have changed since. Each
 * instance gets the present settings. An instance whose project may no longer run jobs there, or that
 * was created for another executor, ends once it is idle.
 */
export async function updateLocalInstances(
  store: Pick<Store, 'instances' | 'projects' | 'engine'>,
  hostId: string,
  terms: LocalTerms,
): Promise<void> {
  for (const instance of await store.instances.onHost(hostId)) {
    const project = await store.projects.byId(instance.projectId);
    const allowed = project !== null && terms.projects.has(project.name.toLowerCase());
    await store.engine.updateInstance(instance.id, (now) => {
      const offer = withData(now.instance, {
        ...freedomData(terms),
        [LOCAL_WITHDRAWN]: !allowed || isOfOther(terms.executor, now.instance),
      });
      if (offer === null) return null;
      const { id, version } = now.instance;
      return {
        changes: [{ type: 'instance.update', id, version, set: { offer } }],
        signals: [{ kind: 'instance', id }],
      };
    });
  }
}

function isOfOther(executor: LocalTerms['executor'], { offer }: InstanceRecord): boolean {
  return offer !== null && offer.instance.name !== localInstanceName(executor);
}

/** Null: nothing has changed. */
function withData({ offer }: InstanceRecord, data: Offer['backend_data']): Offer | null {
  if (offer === null) return null;
  const backendData = { ...offer.backend_data, ...data };
  if (isDeepStrictEqual(backendData, offer.backend_data)) return null;
  return { ...offer, backend_data: backendData };
}
