import type { RunChanges } from '../loops/run-changes.ts';
import { RouterSync, type RouterSyncOptions } from '../routers/router-sync.ts';
import { WorkerRemoval, type WorkerRemovalOptions } from '../routers/worker-removal.ts';
import type { Links, Supervision } from './links.ts';
import type { Parts } from './parts.ts';

/** Registers the workers of services at their routers. */
export function startRouterSync(
  { store, log, closing }: Parts,
  { hosts, reported }: Pick<Links, 'hosts' | 'reported'>,
  { supervisor }: Pick<Supervision, 'supervisor'>,
  changes: RunChanges,
): void {
  const routers = new RouterSync({
    ...{ store, log },
    isLinked: (hostId) => hosts.client(hostId) !== null,
    openPort: portOpener(hosts, supervisor),
  });
  closing.add(() => routers.close());
  reported.add(routers.onJobState);
  changes.listen((runId) => routers.changed(runId));
}

/** Removes the workers of services from their routers before they are stopped. */
export function makeWorkerRemoval(
  { store, log, closing }: Parts,
  { hosts }: Pick<Links, 'hosts'>,
  { supervisor }: Pick<Supervision, 'supervisor'>,
  pending: WorkerRemovalOptions['pending'],
): WorkerRemoval {
  const openPort = portOpener(hosts, supervisor);
  const removal = new WorkerRemoval({ store, log, pending, openPort });
  closing.add(() => removal.close());
  return removal;
}

/** Routers and workers may be on hosts that another server is linked to. */
function portOpener(
  hosts: Links['hosts'],
  supervisor: Supervision['supervisor'],
): RouterSyncOptions['openPort'] {
  return async (hostId, jobId, port) => {
    const agent = hosts.client(hostId) ?? supervisor.clientOf(hostId);
    if (!agent) throw new Error(`no link to host ${hostId}`);
    return await agent.openPort(jobId, port);
  };
}
