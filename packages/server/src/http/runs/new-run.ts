/** The records of a run that is submitted. */
import { ruleError } from '@dstack/contract/api';
import type { JobSpec, RunSpec, ServiceSpec } from '@dstack/contract/wire';
import {
  arrayOf,
  buildJobSpecs,
  dependencyState,
  type EventActor,
  initialReplicas,
  type JobRecord,
  type JobSpecSettings,
  jobCreatedEvent,
  mergedProfile,
  newSubmissions,
  nextFire,
  type RunRecord,
  recordEvent,
  runTarget,
  type Timestamp,
} from '@dstack/core';
import type { NewRun } from '@dstack/store';
import { newArray } from './arrays.ts';
import { resolvedDependencies } from './dependencies.ts';
import type { KnownImages } from './known-images.ts';

export interface NewRunParts {
  readonly projectId: string;
  readonly actor: EventActor;
  /** Effective, without its final name. */
  readonly spec: RunSpec;
  readonly now: Timestamp;
  readonly newId: () => string;
  readonly jobSettings: JobSpecSettings;
  readonly images: KnownImages;
  readonly newSshKey: () => JobSpec['ssh_key'];
  /** Null for all but services. */
  readonly serviceSpec: ((runName: string) => ServiceSpec) | null;
  readonly gatewayId: string | null;
}

/**
 * All records of the new run, once its name is final. Throws `ApiError` if there is nothing to run.
 */
export function newRun(
  name: string,
  parts: NewRunParts,
  upstreams: ReadonlyMap<string, RunRecord> = new Map(),
): NewRun {
  const { now, newId, projectId } = parts;
  const spec = { ...parts.spec, run_name: name };
  const cron = mergedProfile(spec).schedule?.cron ?? null;
  const nextTriggeredAt = cron === null ? null : nextFire([cron].flat(), now);
  const isArray = arrayOf(spec) !== null;
  const replicas = isArray ? {} : initialReplicas(spec);
  const isEmpty = !isArray && Object.values(replicas).every((count) => count === 0);
  const dependencies = resolvedDependencies(spec, upstreams);
  const state = dependencies.length === 0 ? null : dependencyState(dependencies);
  const isWaiting = nextTriggeredAt !== null || isEmpty || (state !== null && state !== 'met');
  const run: RunRecord = {
    id: newId(),
    projectId,
    userId: parts.actor.userId,
    name,
    spec,
    status: isWaiting ? 'pending' : 'submitted',
    terminationReason: null,
    priority: spec.configuration.priority ?? 0,
    deploymentNum: 0,
    rollout: null,
    autoscaling: null,
    desiredReplicas: replicas,
    resubmissionAttempt: 0,
    fleetId: null,
    gatewayId: parts.gatewayId,
    serviceSpec: parts.serviceSpec?.(name) ?? null,
    submittedAt: now,
    // Also where it can no longer come true: the pass of the run decides what follows.
    dependencyState: state === 'unmet' ? 'open' : state,
    lastOutcome: null,
    hold: null,
    ...{ arrayId: null, arrayIndex: null, arraySince: null, arraySeen: null },
    eligibleAt: null,
    lastProcessedAt: now,
    nextTriggeredAt,
    nextPassAt: state === 'unmet' ? now : nextTriggeredAt,
    deleted: false,
    version: 0,
  };
  const jobs = isWaiting || isArray ? [] : firstJobs(run, parts);
  const submitted = recordEvent({
    action: 'run.submitted',
    data: { status: run.status },
    ...{ targets: [runTarget(run)], actor: parts.actor },
  });
  return {
    run,
    jobs,
    dependencies,
    ...newArray(run),
    events: [submitted, ...jobs.map((job) => jobCreatedEvent(job, 'run submission'))],
    signals: [
      // Without services, whose gateways and figures a pass asks for, jobs need no pass before they have a place.
      ...(jobs.length === 0 || spec.configuration.type === 'service'
        ? [{ kind: 'run' as const, id: run.id }]
        : []),
      { kind: 'placement', id: projectId },
    ],
  };
}

/** Replica numbers continue from group to group. */
function firstJobs(run: RunRecord, parts: NewRunParts): JobRecord[] {
  const jobs: JobRecord[] = [];
  let replicaNum = 0;
  for (const [replicaGroup, count] of Object.entries(run.desiredReplicas)) {
    for (let i = 0; i < count; i++) {
      const built = buildJobSpecs(run.spec, {
        runName: run.name,
        replicaNum,
        replicaGroup,
        newSshKey: parts.newSshKey,
        imageConfig: parts.images(replicaGroup),
        settings: parts.jobSettings,
      });
      if (!built.ok) throw ruleError(built.message);
      const { newId, now } = parts;
      jobs.push(...newSubmissions(run, built.jobSpecs, { newId, now, replicaNum }));
      replicaNum += 1;
    }
  }
  return jobs;
}
