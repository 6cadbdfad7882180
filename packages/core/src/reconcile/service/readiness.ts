/** From a running replica of a service to one that receives requests. */

import { jobTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import type { JobRecord } from '../../model/index.ts';
import { routerGroup } from '../../run-spec/router-group.ts';
import type { RunPass } from '../run/run-pass.ts';

/** Ready once every probe has succeeded often enough in a row; later results do not change that. */
export function becomeReady(pass: RunPass, job: JobRecord): JobRecord {
  if (job.ready || job.jobNum !== 0) return job;
  const streaks = pass.snapshot.probes[job.id] ?? [];
  const isReady = (job.spec.probes ?? []).every(
    (probe, n) => (streaks[n] ?? 0) >= probe.ready_after,
  );
  return isReady ? pass.draft.jobs.set(job, { ready: true }) : job;
}

/**
 * Registers a ready replica for requests, once. Behind a router only the router is registered,
 * because it forwards to the others itself.
 */
export function registerReady(pass: RunPass, job: JobRecord): void {
  if (job.registered || !job.ready || job.jobNum !== 0 || isBehindRouter(pass, job)) return;
  const registered = pass.draft.jobs.set(job, { registered: true });
  pass.draft.event(recordEvent({ action: 'job.replica_ready', targets: [jobTarget(registered)] }));
}

function isBehindRouter({ run }: RunPass, job: JobRecord): boolean {
  const router = routerGroup(run.spec.configuration);
  return router !== null && router.name !== job.spec.replica_group;
}
