/** What the effects on a machine have in common. */
import { isSshHost } from '@dstack/contract/status';
import type { IntentRecord, Signal } from '@dstack/core';
import type { Store } from '@dstack/store';

export const ON_INSTANCE = {
  subject: 'instance',
  queue: 'machine',
  hostOf: hostOfSshHost,
  wakes: wakeInstance,
} as const;

/** An SSH host is changed over its link; every server can reach the others' backends. */
async function hostOfSshHost(store: Store, { subjectId }: IntentRecord): Promise<string | null> {
  const instance = (await store.instances.byId(subjectId))?.instance;
  return instance && isSshHost(instance.backend) ? instance.id : null;
}

/** The instance, and the run for whose job it is made. */
async function wakeInstance(store: Store, { subjectId }: IntentRecord): Promise<Signal[]> {
  const instance = (await store.instances.byId(subjectId))?.instance;
  if (!instance) return [];
  const cause = instance.provisioningJobId && (await store.jobs.byId(instance.provisioningJobId));
  return [
    { kind: 'instance', id: instance.id },
    ...(cause ? [{ kind: 'run' as const, id: cause.run.id }] : []),
  ];
}
