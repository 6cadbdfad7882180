/** Explains an instance: busy, idle, unusable, or ending and why. */

import type { Fix } from '@dstack/contract/wire';
import { nextBlocks } from '../instances/division.ts';
import { matchesFleet, nodesOf } from '../instances/fleet-match.ts';
import { fleetWindow, windowText } from '../maintenance/index.ts';
import {
  BACKEND_MISSING,
  type Id,
  type InstanceSnapshot,
  type IntentRecord,
} from '../model/index.ts';
import { SECOND, type Timestamp } from '../model/values.ts';
import { provisioningDeadline } from '../reconcile/instance/engine-queue.ts';
import { stageOf } from '../reconcile/instance/instance-start.ts';
import {
  BACKEND_MISSING_LIMIT,
  CREATE_LIMIT,
  drainDeadline,
  HOST_ADD_LIMIT,
  hasHostFault,
  isFailing,
  isHealthy,
  isInstanceActive,
  isInstanceIdle,
  isInstancePending,
  isInstanceProvisioning,
  isInstanceTerminated,
  isInstanceTerminating,
  isPatientBackend,
  isSshHost,
  schedulingText,
  terminateDelay,
  UNREACHABLE_LIMIT,
} from '../status/index.ts';
import { silenceDeadline } from '../time/silence.ts';
import { type Diagnosis, diagnosisOf, fix, type Reason, reason } from './diagnosis.ts';
import type { BlockHolder, ExplainContext } from './input.ts';
import { Names } from './names.ts';
import { atText } from './texts.ts';

export interface ExplainedInstance {
  readonly instance: InstanceSnapshot;
  readonly holders: readonly BlockHolder[];
  readonly projectNames: Readonly<Record<Id, string>>;
}

type Assessment = Parameters<typeof diagnosisOf>[0];

export function explainInstance(input: ExplainedInstance, ctx: ExplainContext): Diagnosis {
  const assessment = assessInstance(input, ctx);
  const { instance } = input.instance;
  const summary = `Instance ${instance.name} ${assessment.summary}.`;
  return diagnosisOf({ ...assessment, summary }, { fixes: instanceFixes(input) });
}

/** `summary` follows the instance's name. */
export function assessInstance(input: ExplainedInstance, ctx: ExplainContext): Assessment {
  const { instance } = input.instance;
  const { status } = instance;
  if (isInstanceTerminated(status) || instance.deleted) return ended(input);
  if (isInstanceTerminating(status)) return terminating(input, ctx);
  return withCordon(instance, withMaintenance(input, ctx, inUse(input, ctx)));
}

function inUse(input: ExplainedInstance, ctx: ExplainContext): Assessment {
  const { instance } = input.instance;
  if (isInstancePending(instance.status)) return planned(input, ctx);
  if (isInstanceProvisioning(instance.status)) return provisioning(input, ctx);
  return instance.unreachable ? unreachable(input, ctx) : inService(input, ctx);
}

/** Its fleet is in maintenance, or will be soon. */
function withMaintenance(
  { instance: { fleet } }: ExplainedInstance,
  { now }: ExplainContext,
  assessment: Assessment,
): Assessment {
  const window = fleetWindow(fleet, now);
  if (window === null || window.state === 'planned') return assessment;
  const has = windowText(window);
  const text =
    window.state === 'on'
      ? `is in maintenance ${has}; it gets no new jobs`
      : `is in maintenance ${has}; it gets only jobs that end before`;
  const until = window.state === 'on' ? window.endsAt : window.startsAt;
  const maintenance = reason('maintenance', text, { since: window.leavingAt, until, has });
  const summary = `${text}; it ${assessment.summary}`;
  return { ...assessment, summary, reasons: [maintenance, ...assessment.reasons] };
}

/** A cordon comes first: a person has decided it, whatever else is true. */
function withCordon(
  { scheduling }: InstanceSnapshot['instance'],
  assessment: Assessment,
): Assessment {
  if (scheduling === null) return assessment;
  const { since, until } = scheduling;
  const has = schedulingText(scheduling);
  const cordoned = reason('cordoned', `is ${has}; it gets no new jobs`, {
    ...{ since, until: until ?? drainDeadline(scheduling), has },
  });
  const summary = `${cordoned.text}; it ${assessment.summary}`;
  return { ...assessment, summary, reasons: [cordoned, ...assessment.reasons] };
}

function ended({ instance: { instance } }: ExplainedInstance): Assessment {
  const text = `has ended: ${endReason(instance)}`;
  const detail = { since: instance.finishedAt, has: instance.terminationReason };
  return { state: 'ended', waits: false, summary: text, reasons: [reason('ended', text, detail)] };
}

const END_TEXTS: Readonly<Record<string, string>> = {
  terminated_by_user: 'a user ended it, or its fleet was deleted',
  idle_timeout: 'it was idle for longer than `idle_duration`',
  provisioning_timeout: 'it did not come up in time',
  error: 'it could not be created',
  job_finished: 'it was created for a job that has ended',
  unreachable: 'it could not be reached',
  no_offers: 'no offer was found for it',
  master_failed: 'the first instance of its fleet failed',
  max_instances_limit: 'its fleet had more instances than `nodes.max`',
  fleet_spec_mismatch: 'it was no longer what its fleet requires',
  no_balance: 'the account at the backend has no balance',
  interrupted: 'its backend took it away',
  out_of_memory: 'its job filled its memory',
};

export function endReason({
  terminationReason,
  terminationMessage,
}: InstanceSnapshot['instance']): string {
  const why = END_TEXTS[terminationReason ?? ''] ?? 'no reason was recorded';
  return terminationMessage ? `${why} (${terminationMessage})` : why;
}

function lastIntent(
  { intents }: InstanceSnapshot,
  kind: IntentRecord['kind'],
): IntentRecord | null {
  return intents.findLast((intent) => intent.kind === kind) ?? null;
}

/** Termination is retried until the backend confirms it. */
function terminating({ instance: snapshot }: ExplainedInstance, ctx: ExplainContext): Assessment {
  const { instance } = snapshot;
  const last = lastIntent(snapshot, 'instance.terminate');
  const since = instance.statusChangedAt;
  const why = endReason(instance);
  const failed = last?.state === 'failed' ? last : null;
  if (failed?.result?.kind === 'refused' && failed.result.reason === BACKEND_MISSING) {
    const until = silenceDeadline(ctx, since, BACKEND_MISSING_LIMIT);
    const text =
      `is to be terminated (${why}), but backend ${instance.backend} is no longer configured, so ` +
      `its machine cannot be terminated; the server gives it up ${atText(until, ctx.now)}`;
    const reasons = [reason('terminating', text, { since, until, has: BACKEND_MISSING })];
    return { state: 'stopping', waits: true, summary: text, reasons };
  }
  const attempt = last === null ? null : last.attempt + 1;
  const until = failed && failed.updatedAt + terminateDelay(failed.attempt);
  const trouble =
    failed && until !== null
      ? `; attempt ${failed.attempt + 1} failed (${failed.error ?? 'no reason given'}), the next begins ${atText(until, ctx.now)}`
      : '';
  const text = `is being terminated: ${why}${trouble}`;
  const reasons = [reason('terminating', text, { since, until, attempt })];
  return { state: 'stopping', waits: true, summary: text, reasons };
}

function planned(input: ExplainedInstance, ctx: ExplainContext): Assessment {
  const { instance } = input.instance;
  const { createdAt: since } = instance;
  if (isSshHost(instance.backend)) {
    const until = silenceDeadline(ctx, since, HOST_ADD_LIMIT);
    const error = input.instance.host?.error ?? instance.terminationMessage;
    const why = error ? `: ${error}` : '';
    const text = `is being added: the agent is being installed on its host${why}`;
    const reasons = [reason('deploying', text, { since, until, has: error ?? null })];
    return { state: 'creating', waits: true, summary: text, reasons };
  }
  const create = lastIntent(input.instance, 'instance.create');
  const of = create?.payload.kind === 'instance.create' ? create.payload.totalOffers : 0;
  const from = of > 0 ? ` (from ${of === 1 ? '1 offer' : `${of} offers`})` : '';
  const { terminationMessage: stage } = instance;
  const doing = stage === null ? '' : `: ${stage}`;
  const text = `waits for its machine, which is being created${from}${doing}`;
  const isForJob = instance.provisioningJobId !== null;
  const until = isForJob ? silenceDeadline(ctx, since, CREATE_LIMIT) : null;
  const reasons = [reason('creating', text, { since, until, has: stage })];
  return { state: 'creating', waits: true, summary: text, reasons };
}

function provisioning({ instance: snapshot }: ExplainedInstance, ctx: ExplainContext): Assessment {
  const { instance } = snapshot;
  const since = instance.startedAt ?? instance.statusChangedAt;
  const until = provisioningDeadline(snapshot, ctx);
  const stage = stageOf(snapshot);
  const why = stage ? ` (${stage})` : '';
  const text = `is starting up: its agent has not connected yet${why}`;
  const reasons = [reason('provisioning', text, { since, until, has: stage })];
  return { state: 'starting', waits: true, summary: text, reasons };
}

function unreachable(input: ExplainedInstance, ctx: ExplainContext): Assessment {
  const { instance, host } = input.instance;
  const since = instance.unreachableSince;
  const has = host?.error ?? instance.terminationMessage;
  const why = has ? `: ${has}` : '';
  const until =
    since === null || isPatientBackend(instance.backend)
      ? null
      : silenceDeadline(ctx, since, UNREACHABLE_LIMIT);
  const next =
    until === null
      ? 'it gets no jobs until it is back'
      : `it is terminated ${atText(until, ctx.now)} unless it is back`;
  const runs = holdersOf(input, ctx);
  const text = `is unreachable${why}; ${next}${runs === null ? '' : `; ${runs} may go on there`}`;
  const reasons = [reason('unreachable', text, { since, until, has: has ?? null })];
  return { state: 'unreachable', waits: true, summary: text, reasons };
}

function inService(input: ExplainedInstance, ctx: ExplainContext): Assessment {
  const { instance, fleet } = input.instance;
  const since = instance.statusChangedAt;
  const trouble = [
    ...healthReasons(input),
    ...(matchesFleet(instance, fleet)
      ? []
      : [
          reason('fleet_spec', 'is no longer what its fleet requires, and ends when it is free', {
            since,
          }),
        ]),
  ];
  const used = isInstanceIdle(instance.status) ? idle(input, ctx) : busy(input, ctx);
  const texts = [...trouble, ...used.reasons].map((one) => one.text);
  const state = isFailing(instance.health) ? 'degraded' : used.state;
  return { ...used, state, summary: texts.join('; it '), reasons: [...trouble, ...used.reasons] };
}

function healthReasons({ instance: { instance, health } }: ExplainedInstance): Reason[] {
  if (isHealthy(instance.health)) return [];
  const has = instance.healthMessage;
  const why = has === null ? '' : ` (${has})`;
  const detail = { since: health?.since ?? null, has };
  if (hasHostFault(instance)) {
    return [
      reason('host_fault', `cannot start jobs now${why}, and gets none until it can`, detail),
    ];
  }
  return isFailing(instance.health)
    ? [reason('unhealthy', `fails its health checks${why}, and gets no jobs`, detail)]
    : [reason('health_warning', `has a health warning${why}, and gets jobs all the same`, detail)];
}

function busy(input: ExplainedInstance, ctx: ExplainContext): Assessment {
  const { instance, fleet } = input.instance;
  const total = instance.totalBlocks ?? 1;
  const next = nextBlocks(instance, fleet.spec);
  const then =
    next === null ? '' : `, and gets its new \`blocks\` (${next}) once no job runs there`;
  const blocks = total > 1 ? ` (${instance.busyBlocks} of ${total} blocks)` : '';
  const runs = holdersOf(input, ctx);
  const text = `is busy${blocks}${runs === null ? '' : ` with ${runs}`}${then}`;
  const detail = {
    since: instance.statusChangedAt,
    asked: String(total),
    has: String(instance.busyBlocks),
  };
  return { state: 'busy', waits: false, summary: text, reasons: [reason('busy', text, detail)] };
}

function holdersOf(
  { holders, instance, projectNames }: ExplainedInstance,
  ctx: ExplainContext,
): string | null {
  const names = new Names(instance.instance.projectId, projectNames, ctx.viewer);
  return names.runs(holders.map((one) => one.run));
}

/** Until when an idle instance is kept. */
function idle({ instance: snapshot }: ExplainedInstance, ctx: ExplainContext): Assessment {
  const { instance, fleet, activeInFleet } = snapshot;
  const since = instance.lastJobFinishedAt ?? instance.startedAt ?? instance.createdAt;
  const assessment = (
    rule: 'idle' | 'nodes.min',
    text: string,
    until: Timestamp | null,
  ): Assessment => ({
    ...{ state: 'idle', waits: false, summary: text },
    reasons: [reason(rule, text, { since, until })],
  });
  if (isSshHost(instance.backend))
    return assessment('idle', 'is idle, and stays: it is an SSH host', null);
  if (instance.idleSeconds === null) {
    return assessment('idle', 'is idle, and stays (`idle_duration: off`)', null);
  }
  const min = nodesOf(fleet)?.min ?? 0;
  const until = since + instance.idleSeconds * SECOND;
  if (activeInFleet <= min) {
    return assessment(
      'nodes.min',
      `is idle, and stays: its fleet keeps ${min} (\`nodes.min\`)`,
      null,
    );
  }
  return assessment(
    'idle',
    `is idle, and is terminated ${atText(until, ctx.now)} unless it gets a job`,
    until,
  );
}

function instanceFixes({ instance: { instance, fleet } }: ExplainedInstance): Fix[] {
  if (isInstanceActive(instance.status) && instance.scheduling?.isTakenBack) return [];
  if (isInstanceActive(instance.status) && instance.scheduling !== null) {
    const command = `dstack instance uncordon ${instance.name}`;
    return [fix('Let it get new jobs again', { command })];
  }
  const isUsed = isInstanceActive(instance.status) && !isInstancePending(instance.status);
  if (isUsed && instance.unreachable) {
    const what = isSshHost(instance.backend)
      ? 'that the host is up, that its SSH server runs, and that the network lets the server through to it'
      : `that the machine still runs at backend ${instance.backend}`;
    return [fix(`Check ${what}; the server connects again by itself`)];
  }
  if (isUsed && isFailing(instance.health)) {
    return [fix('Repair what the failed checks name; it gets jobs again as soon as they pass')];
  }
  if (isUsed && instance.busyBlocks > 0 && nextBlocks(instance, fleet.spec) !== null) {
    const command = `dstack instance cordon ${instance.name}`;
    return [fix('Keep new jobs away until it has its new `blocks`', { command })];
  }
  return [];
}
