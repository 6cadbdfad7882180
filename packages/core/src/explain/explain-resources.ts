/** Explains volumes and gateways. */
import type { GatewaySnapshot, Id, VolumeSnapshot } from '../model/index.ts';
import { volumeCleanupAt } from '../reconcile/reconcile-volume.ts';
import {
  GATEWAY_PROVISION_LIMIT,
  isGatewayFailed,
  isGatewayPassing,
  isVolumeActive,
  isVolumeFailed,
  VOLUME_CREATE_LIMIT,
} from '../status/index.ts';
import { type Diagnosis, diagnosisOf, fix, type Reason, reason } from './diagnosis.ts';
import { atText } from './explain-instance.ts';
import type { ExplainContext, NamedRun } from './input.ts';
import { Names } from './names.ts';

export function explainVolume(snapshot: VolumeSnapshot, ctx: ExplainContext): Diagnosis {
  const { volume, attachments, backendConfigured } = snapshot;
  const about = `Volume ${volume.name}`;
  const removed = removedBackend(volume.backend, backendConfigured);
  if (isVolumeFailed(volume.status)) {
    return failed(about, `dstack volume delete ${volume.name}`, volume, removed);
  }
  if (volume.toBeDeleted) {
    const used = attachments > 0 ? `; it is still used by ${countOf(attachments)}` : '';
    const text = `is being deleted${used}`;
    const rule = attachments > 0 ? 'in_use' : 'terminating';
    return waits('stopping', about, reason(rule, text, { count: attachments }), removed);
  }
  if (!isVolumeActive(volume.status)) {
    const until = volume.createdAt + VOLUME_CREATE_LIMIT;
    const text = `waits for backend ${volume.backend}, which has to answer ${atText(until, ctx.now)}`;
    const found = reason('creating', text, { since: volume.createdAt, until });
    return waits('creating', about, found, removed);
  }
  return usableVolume(about, snapshot, removed, ctx);
}

function usableVolume(
  about: string,
  { volume, attachments }: VolumeSnapshot,
  removed: readonly Reason[],
  { now }: ExplainContext,
): Diagnosis {
  const until = volumeCleanupAt(volume, attachments);
  const end =
    until === null
      ? ''
      : `, and is deleted ${atText(until, now)} unless it is used (\`auto_cleanup_duration\`)`;
  const text =
    attachments > 0 ? `is used by ${countOf(attachments)}` : `is not used by anything${end}`;
  const rule = attachments > 0 ? 'in_use' : 'idle';
  const reasons = [reason(rule, text, { until, count: attachments }), ...removed];
  return diagnosisOf({ state: 'active', waits: false, summary: `${about} ${text}.`, reasons });
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
  { now, viewer }: ExplainContext,
): Diagnosis {
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
    const until = gateway.createdAt + GATEWAY_PROVISION_LIMIT;
    const text = `is being created, and has to be up ${atText(until, now)}`;
    const found = reason('creating', text, { since: gateway.createdAt, until });
    return waits('creating', about, found, removed);
  }
  const names = new Names(gateway.projectId, projectNames, viewer).runs(services);
  const used = names === null ? 'serves nothing' : `serves ${names}`;
  const serving = names === null ? [] : [reason('in_use', used, { count: services.length })];
  const summary = `${about} runs, and ${used}.`;
  const reasons = [...serving, ...removed];
  return diagnosisOf({ state: 'active', waits: false, summary, reasons });
}

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
