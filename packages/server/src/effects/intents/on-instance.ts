/** The common part of effects on a machine. */
import { isSshHost } from '@dstack/contract/status';
import type { IntentRecord, Signal } from '@dstack/core';
import type { Store } from '@dstack/store';

export const ON_INSTANCE = {
  subject: 'instance',
  queue: 'machine',
  hostOf: hostOfSshHost,
  wakes: wakeInstance,
} as const;

/** The link to an SSH host carries out its effects; every server can reach the other backends. */
async function hostOfSshHost(store: Store, { subjectId }: IntentRecord): Promise<string | null> {
  const instance = (await store.instances.byId(subjectId))?.instance;
  return instance && isSshHost(instance.backend) ? instance.id : null;
}

/** The instance, and the run whose job it is created for. */
async function wakeInstance(store: Store, { subjectId }: IntentRecord): Promise<Signal[]> {
  const instance = (await store.instances.byId(subjectId))?.instance;
  if (!instance) return [];
  const cause = instance.provisioningJobId && (await store.jobs.byId(instance.provisioningJobId));
  return [
    { kind: 'instance', id: instance.id },
    ...(cause ? [{ kind: 'run' as const, id: cause.run.id }] : []),
  ];
}
