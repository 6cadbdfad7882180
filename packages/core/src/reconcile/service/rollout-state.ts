/** Beginning and end of rollouts. */
import type { RunSpec } from '@dstack/contract/wire';
import { runTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import type {
  DeployedVersion,
  EventActor,
  NewEvent,
  RolloutRecord,
  RunRecord,
  Timestamp,
} from '../../model/index.ts';
import { initialReplicas } from '../../run-spec/size-of.ts';
import { isRolloutOver, isRolloutWaiting } from '../../status/index.ts';

/**
 * The rollout of an update. The version to return to is the last complete one, not one whose own
 * rollout this update interrupts.
 */
export function startedRollout(run: RunRecord, deploymentNum: number): RolloutRecord | null {
  if (run.spec.configuration.type !== 'service') return null;
  const { rollout } = run;
  const isComplete = rollout === null || isRolloutOver(rollout.status);
  const previous = isComplete ? versionOf(run) : (rollout.previous ?? versionOf(run));
  return { ...newRollout(deploymentNum), previous };
}

const newRollout = (deploymentNum: number): RolloutRecord => ({
  ...{ deploymentNum, status: 'progressing', previous: null, ready: 0, progressAt: null },
  ...{ promoted: false, message: null },
});

const versionOf = ({ deploymentNum, spec, serviceSpec }: RunRecord): DeployedVersion => ({
  ...{ deploymentNum, spec, serviceSpec },
});

export interface Rollback {
  readonly set: Partial<RunRecord>;
  readonly event: NewEvent;
}

/** A new deployment with the spec of the previous version; null if there is none. */
export function rollback(
  run: RunRecord,
  message: string,
  actor: EventActor | null,
): Rollback | null {
  const previous = run.rollout?.previous ?? null;
  if (previous === null) return null;
  const { spec, serviceSpec } = previous;
  const deploymentNum = run.deploymentNum + 1;
  const data = {
    ...{ failed: run.deploymentNum, deployment: deploymentNum },
    ...{ restored: previous.deploymentNum, message },
  };
  return {
    set: {
      ...{ spec, serviceSpec, deploymentNum },
      priority: spec.configuration.priority ?? 0,
      desiredReplicas: desiredAfterUpdate(run, spec),
      rollout: {
        ...newRollout(deploymentNum),
        ...{ status: 'rolled_back', previous: versionOf(run), promoted: true, message },
      },
    },
    event: recordEvent({ action: 'run.rolled_back', data, targets: [runTarget(run)], actor }),
  };
}

/** Null: the rollout is over, or is paused already. */
export function pauseRollout(run: RunRecord, actor: EventActor): Rollback | null {
  const { rollout } = run;
  if (rollout === null || isRolloutOver(rollout.status) || rollout.status === 'paused') return null;
  return {
    set: { rollout: { ...rollout, status: 'paused' } },
    event: recordEvent({ action: 'run.rollout_paused', targets: [runTarget(run)], actor }),
  };
}

/** Continues a paused rollout, or accepts its canaries. Null: it waits for no user. */
export function resumeRollout(run: RunRecord, actor: EventActor, now: Timestamp): Rollback | null {
  const { rollout } = run;
  if (rollout === null || !isRolloutWaiting(rollout.status)) return null;
  const promoted = rollout.promoted || rollout.status === 'holding';
  return {
    set: { rollout: { ...rollout, status: 'progressing', promoted, progressAt: now } },
    event: recordEvent({ action: 'run.rollout_resumed', targets: [runTarget(run)], actor }),
  };
}

/**
 * Desired replicas after an update: the number chosen by scaling is kept within the new bounds; new
 * groups start with their minimum.
 */
export function desiredAfterUpdate(
  run: Pick<RunRecord, 'desiredReplicas'>,
  spec: RunSpec,
): Record<string, number> {
  const { configuration } = spec;
  const first = initialReplicas(spec);
  if (configuration.type !== 'service') return first;
  const most = (group: string, i: number): number => {
    const range = configuration.groups?.[i]?.replicas ?? configuration.replicas;
    return range?.max ?? first[group] ?? 1;
  };
  return Object.fromEntries(
    Object.entries(first).map(([group, least], i) => {
      const before = run.desiredReplicas[group] ?? least;
      return [group, Math.min(Math.max(before, least), most(group, i))];
    }),
  );
}
