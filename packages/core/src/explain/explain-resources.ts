/** Explains volumes and gateways. */

import { configuredBackendName } from '../capabilities/capabilities.ts';
import type { GatewaySnapshot, Id, Timestamp, VolumeSnapshot } from '../model/index.ts';
import {
  activeReplicas,
  lastFailure,
  nextAttemptAt,
} from '../reconcile/gateway/replica-attempts.ts';
import { volumeCleanupAt } from '../reconcile/volume/volume-life.ts';
import {
  GATEWAY_PROVISION_LIMIT,
  isGatewayFailed,
  isGatewayPassing,
  isVolumeActive,
  isVolumeFailed,
  isVolumeProvisioning,
  VOLUME_CREATE_LIMIT,
  VOLUME_PROVISION_LIMIT,
} from '../status/index.ts';
import { silenceDeadline } from '../time/silence.ts';
import { type Diagnosis, diagnosisOf, fix, type Reason, reason } from './diagnosis.ts';
import type { ExplainContext, NamedRun } from './input.ts';
import { Names } from './names.ts';
import { certificateReasons, sentence } from './served-names.ts';
import { atText } from './texts.ts';

export function explainVolume(snapshot: VolumeSnapshot, ctx: ExplainContext): Diagnosis {
  const { volume, backendConfigured } = snapshot;
  const about = `Volume ${volume.name}`;
  const removed = removedBackend(configuredBackendName(volume.backend), backendConfigured);
  if (isVolumeFailed(volume.status) && !volume.toBeDeleted) {
    return failed(about, `dstack volume delete ${volume.name}`, volume, removed);
  }
  const used = useOf(snapshot, ctx);
  if (volume.toBeDeleted) {
    return waits('stopping', about, deletionReason(snapshot, used), removed);
  }
  if (!isVolumeActive(volume.status)) {
    return waits('creating', about, creationReason(snapshot, ctx), removed);
  }
  return usableVolume(about, snapshot, used, removed, ctx);
}

function creationReason({ volume, hosts, observation }: VolumeSnapshot, ctx: ExplainContext) {
  const { now } = ctx;
  const isOrdered = isVolumeProvisioning(volume.status);
  const since = isOrdered ? volume.statusChangedAt : volume.createdAt;
  const limit = isOrdered ? VOLUME_PROVISION_LIMIT : VOLUME_CREATE_LIMIT;
  const until = silenceDeadline(ctx, since, limit);
  const stage = observation?.observation.state === 'pending' ? observation.observation.text : '';
  const why = observation?.error ?? stage;
  const isHomeless = !isOrdered && hosts.length > 0 && !hosts.some((host) => host.connected);
  const text = isHomeless
    ? `waits until a host connects that can hold it, which has to happen ${atText(until, now)}`
    : `is being made in ${configuredBackendName(volume.backend)}${why ? ` (${why})` : ''}, and has to be ready ${atText(until, now)}`;
  return reason('creating', text, { since, until });
}

function deletionReason({ volume, attachments }: VolumeSnapshot, used: Use): Reason {
  if (used.count > 0) {
    return reason('in_use', `is being deleted; it is still used by ${used.text}`, {
      count: used.count,
    });
  }
  if (attachments.length > 0) {
    const text = `is being deleted; it is still attached to ${countOf(attachments.length)}`;
    return reason('detaching', text, { count: attachments.length });
  }
  const why = volume.statusMessage === null ? '' : ` (${volume.statusMessage})`;
  return reason('terminating', `is being deleted${why}`);
}

function usableVolume(
  about: string,
  { volume, attachments }: VolumeSnapshot,
  used: Use,
  removed: readonly Reason[],
  { now }: ExplainContext,
): Diagnosis {
  const isHeld = used.count > 0 || attachments.length > 0;
  const until = volumeCleanupAt(volume, isHeld);
  const end =
    until === null
      ? ''
      : `, and is deleted ${atText(until, now)} unless it is used (\`auto_cleanup_duration\`)`;
  const text = isHeld
    ? `is used by ${used.count > 0 ? used.text : countOf(attachments.length)}`
    : `is not used by anything${end}`;
  const rule = isHeld ? 'in_use' : 'idle';
  const count = Math.max(used.count, attachments.length);
  const problem =
    volume.statusMessage === null
      ? []
      : [reason('failed', `has a problem: ${volume.statusMessage}`, { has: volume.statusMessage })];
  const reasons = [reason(rule, text, { until, count }), ...problem, ...removed];
  return diagnosisOf({ state: 'active', waits: false, summary: `${about} ${text}.`, reasons });
}

interface Use {
  /** Runs with jobs that mount it. */
  readonly count: number;
  readonly text: string;
}

function useOf(
  { volume, uses, projectName }: VolumeSnapshot,
  { viewer }: Pick<ExplainContext, 'viewer'>,
): Use {
  const runs = new Map(
    uses.map(({ job, runName }): [Id, NamedRun] => {
      const { runId: id, projectId, priority, submittedAt } = job;
      return [id, { id, name: runName, projectId, priority, submittedAt }];
    }),
  );
  const names = new Names(volume.projectId, { [volume.projectId]: projectName }, viewer);
  return { count: runs.size, text: names.runs([...runs.values()]) ?? '' };
}

const countOf = (attachments: number): string =>
  attachments === 1 ? '1 instance' : `${attachments} instances`;

export interface ExplainedGateway {
  readonly gateway: GatewaySnapshot;
  /** Services behind the gateway. */
  readonly services: readonly NamedRun[];
  readonly projectNames: Readonly<Record<Id, string>>;
}

export function explainGateway(
  { gateway: snapshot, services, projectNames }: ExplainedGateway,
  ctx: ExplainContext,
): Diagnosis {
  const { now, viewer } = ctx;
  const { gateway, backendConfigured } = snapshot;
  const about = `Gateway ${gateway.name}`;
  const removed = removedBackend(gateway.backend, backendConfigured);
  if (isGatewayFailed(gateway.status)) {
    return failed(about, `dstack gateway delete ${gateway.name}`, gateway, removed);
  }
  if (gateway.toBeDeleted) {
    return waits('stopping', about, reason('terminating', 'is being deleted'), removed);
  }
  if (isGatewayPassing(gateway.status)) {
    const until = silenceDeadline(ctx, gateway.createdAt, GATEWAY_PROVISION_LIMIT);
    const text = `is being created, and has to be up ${atText(until, now)}`;
    const found = reason('creating', text, { since: gateway.createdAt, until });
    return waits('creating', about, found, removed);
  }
  const names = new Names(gateway.projectId, projectNames, viewer).runs(services);
  const used = names === null ? 'serves nothing' : `serves ${names}`;
  const serving = names === null ? [] : [reason('in_use', used, { count: services.length })];
  const missing = missingReplicas(snapshot, now);
  const isClosed = gateway.configuration.forbid_new_services === true;
  const closed = isClosed ? ' accepts no new services (`forbid_new_services`),' : '';
  const unserved = [...replicaReasons(snapshot), ...certificateReasons(snapshot.reports)];
  const lacks = [
    ...missing.map(({ text }) => ` It ${text}.`),
    ...unserved.slice(0, 2).map(({ text }) => ` ${sentence(text)}`),
  ].join('');
  const summary = `${about} runs,${closed} and ${used}.${lacks}`;
  const reasons = [...missing, ...unserved, ...serving, ...removed];
  return diagnosisOf({ state: 'active', waits: false, summary, reasons });
}

/** Problems that the active replicas of a gateway report. */
function replicaReasons({ replicas, reports }: GatewaySnapshot): Reason[] {
  return activeReplicas(replicas).flatMap(({ id, replicaNum }) => {
    const report = reports.find(({ replicaId }) => replicaId === id);
    if (report === undefined || report.text === null) return [];
    const text = report.text.replace(/\.$/, '');
    const part = `replica ${replicaNum}`;
    return report.state === 'ready'
      ? [reason('health_warning', `replica ${replicaNum} reports a problem: ${text}`, { part })]
      : [reason('not_ready', `replica ${replicaNum} does not serve requests: ${text}`, { part })];
  });
}

/** Empty: there are enough, or others are on their way. */
function missingReplicas(snapshot: GatewaySnapshot, now: Timestamp): Reason[] {
  const { gateway, replicas } = snapshot;
  const wanted = gateway.configuration.replicas ?? 1;
  const active = activeReplicas(replicas).length;
  const until = nextAttemptAt(snapshot);
  if (active >= wanted || until === null) return [];
  const cause = lastFailure(replicas);
  const why = cause === null ? '' : ` (the last attempt ended: ${cause})`;
  const text = `lacks ${wanted - active} of ${countOfReplicas(wanted)}${why}; attempt ${gateway.scaleOutAttempt + 1} to add what is missing begins ${atText(until, now)}`;
  const attempt = gateway.scaleOutAttempt + 1;
  return [
    reason('retry_delay', text, { until, attempt, asked: String(wanted), has: String(active) }),
  ];
}

const countOfReplicas = (count: number): string =>
  count === 1 ? '1 replica' : `${count} replicas`;

function removedBackend(backend: string, isConfigured: boolean): Reason[] {
  if (isConfigured) return [];
  const text = `its backend ${backend} is not configured in the project any more`;
  return [reason('no_backends', text, { has: backend })];
}

function failed(
  about: string,
  command: string,
  resource: Pick<VolumeSnapshot['volume'], 'statusMessage' | 'lastProcessedAt'>,
  removed: readonly Reason[],
): Diagnosis {
  const text = `has failed: ${resource.statusMessage ?? 'no reason was recorded'}`;
  const reasons = [reason('failed', text, { since: resource.lastProcessedAt }), ...removed];
  return diagnosisOf(
    { state: 'failed', waits: false, summary: `${about} ${text}.`, reasons },
    { fixes: [fix('Remove the cause, delete it, and create it again', { command })] },
  );
}

function waits(
  state: 'creating' | 'stopping',
  about: string,
  found: Reason,
  removed: readonly Reason[],
): Diagnosis {
  const summary = `${about} ${found.text}.`;
  return diagnosisOf({ state, waits: true, summary, reasons: [found, ...removed] });
}
