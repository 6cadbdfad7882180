/** The orphans that sweeps have found, for the admins of the server. */
import {
  formatOptionalTimestamp,
  formatTimestamp,
  type Orphan,
  type OrphanReport,
} from '@dstack/contract/wire';
import { isEndable, type OrphanRecord, type SweepRecord } from '@dstack/core';
import { wireBackend } from '../mapping/backend-name.ts';
import type { HttpDeps } from '../ports.ts';

export async function listOrphans({ store }: HttpDeps): Promise<OrphanReport> {
  const [sweeps, orphans] = [await store.sweeps.list(), await store.sweeps.orphans()];
  const projects = await store.projects.byIds([...new Set(sweeps.map((one) => one.projectId))]);
  const names = new Map(projects.map(({ id, name }) => [id, name]));
  const nameOf = ({ projectId }: { readonly projectId: string }) => names.get(projectId) ?? '';
  const sweepOf = (orphan: OrphanRecord) =>
    sweeps.find((one) => one.projectId === orphan.projectId && one.backend === orphan.backend);
  return {
    orphans: orphans.map((one) => wireOrphan(one, nameOf(one), sweepOf(one) ?? null)),
    sweeps: sweeps.map((sweep) => ({
      project_name: nameOf(sweep),
      backend: wireBackend(sweep.backend),
      swept_at: formatOptionalTimestamp(sweep.sweptAt),
      next_at: formatTimestamp(sweep.nextAt),
      error: sweep.error,
      only_reported: sweep.hindrance,
    })),
  };
}

function wireOrphan(orphan: OrphanRecord, project_name: string, sweep: SweepRecord | null): Orphan {
  const { project, fleet, instance } = orphan.owner;
  return {
    id: orphan.id,
    kind: orphan.kind,
    project_name,
    backend: wireBackend(orphan.backend),
    external_id: orphan.handle.id,
    region: orphan.region,
    created_for: { project: project || null, fleet: fleet || null, instance: instance || null },
    first_seen_at: formatTimestamp(orphan.firstSeenAt),
    last_seen_at: formatTimestamp(orphan.lastSeenAt),
    confirmed: orphan.reportedAt !== null,
    terminating: orphan.endRequestedAt !== null,
    reason: reasonOf(orphan, sweep),
  };
}

function reasonOf(orphan: OrphanRecord, sweep: SweepRecord | null): string | null {
  if (orphan.error !== null) return `it could not be terminated: ${orphan.error}`;
  if (orphan.endRequestedAt !== null) return null;
  if (orphan.reportedAt === null) return 'it has to be seen again some minutes later';
  if (!isEndable(orphan)) return 'volumes may have the only copy of their data: delete it yourself';
  return sweep?.hindrance ?? null;
}
