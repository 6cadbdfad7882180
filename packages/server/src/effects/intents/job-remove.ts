import type { Id } from '@dstack/core';
import type { Store } from '@dstack/store';
import { removeJob } from '../remove-job.ts';
import type { IntentDescriptor } from './descriptor.ts';
import { agentOf, ON_JOB } from './on-job.ts';

export const jobRemove: IntentDescriptor<'job.remove'> = {
  ...ON_JOB,
  kind: 'job.remove',
  mayCancel: false,
  /** The job has left its instance already. */
  hostOf: async (_, { payload }) => payload.hostId,
  /** The job has ended: nothing depends on its removal. */
  wakes: async () => [],
  async handle(effects, { subjectId, payload, createdAt }) {
    const { reports, hosts, jobs } = effects.store;
    if (!(await jobs.byId(subjectId))) return { kind: 'ok' };
    if (await isMachineDeleted(effects.store, payload.hostId)) return { kind: 'ok' };
    const host = await hosts.byId(payload.hostId);
    await removeJob({
      agent: agentOf(effects, payload.hostId),
      reports,
      jobId: subjectId,
      since: Math.max(createdAt, host?.since ?? 0),
      now: effects.now(),
    });
    return { kind: 'ok' };
  },
};

/**
 * The job has been deleted with its machine. Its agent will never answer, and while the removal waits for
 * it, the run cannot be deleted.
 */
async function isMachineDeleted(
  { instances, hosts }: Pick<Store, 'instances' | 'hosts'>,
  hostId: Id,
): Promise<boolean> {
  const view = await instances.byId(hostId);
  if (view !== null) return view.instance.deleted;
  // The server's machine is a host without an instance of its id.
  return (await hosts.byId(hostId)) === null;
}
