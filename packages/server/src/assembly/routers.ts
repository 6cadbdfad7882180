import type { RunChanges } from '../loops/run-changes.ts';
import { RouterSync } from '../routers/router-sync.ts';
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
    // Workers may be on hosts that another server is linked to.
    openPort: async (hostId, jobId, port) => {
      const agent = hosts.client(hostId) ?? supervisor.clientOf(hostId);
      if (!agent) throw new Error(`no link to host ${hostId}`);
      return await agent.openPort(jobId, port);
    },
  });
  closing.add(() => routers.close());
  reported.add(routers.onJobState);
  changes.listen((runId) => routers.changed(runId));
}
