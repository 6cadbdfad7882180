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
import { type Diagnosis, diagnosisOf, fix, reason } from './diagnosis.ts';
import { atText } from './explain-instance.ts';
import type { ExplainContext, NamedRun } from './input.ts';
import { Names } from './names.ts';

export function explainVolume(snapshot: VolumeSnapshot, { now }: ExplainContext): Diagnosis {
  const { volume, attachments, backendConfigured } = snapshot;
  const about = `Volume ${volume.name}`;
  const removed = backendConfigured
    ? []
    : [
        reason(
          'no_backends',
          `its backend ${volume.backend} is not configured in the project any more`,
          { has: volume.backend },
        ),
      ];
  if (isVolumeFailed(volume.status)) {
    const text = `has failed: ${volume.statusMessage ?? 'nobody said why'}`;
    const reasons = [reason('failed', text, { since: volume.lastProcessedAt }), ...removed];
    const again = fix('Delete it, and create it again once that is mended', {
      command: `dstack volume delete ${volume.name}`,
    });
    return diagnosisOf(
      { state: 'failed', waits: false, summary: `${about} ${text}.`, reasons },
      { fixes: [again] },
    );
  }
  if (volume.toBeDeleted) {
    const used = attachments > 0 ? `; it is still used by ${countOf(attachments)}` : '';
    const text = `is being deleted${used}`;
    const rule = attachments > 0 ? 'in_use' : 'terminating';
    const reasons = [reason(rule, text, { count: attachments }), ...removed];
    return diagnosisOf({ state: 'stopping', waits: true, summary: `${about} ${text}.`, reasons });
  }
  if (!isVolumeActive(volume.status)) {
    const until = volume.createdAt + VOLUME_CREATE_LIMIT;
    const text = `waits for backend ${volume.backend}, which has to answer ${atText(until, now)}`;
    const reasons = [reason('creating', text, { since: volume.createdAt, until }), ...removed];
    return diagnosisOf({ state: 'creating', waits: true, summary: `${about} ${text}.`, reasons });
  }
  const until = volumeCleanupAt(volume, attachments);
  const end =
    until === null
      ? ''
      : `, and is deleted ${atText(until, now)} unless it is used (\`auto_cleanup_duration\`)`;
  const text =
    attachments > 0 ? `is used by ${countOf(attachments)}` : `is not used by anything${end}`;
  const reasons = [
    reason(attachments > 0 ? 'in_use' : 'idle', text, { until, count: attachments }),
    ...removed,
  ];
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
  const removed = backendConfigured
    ? []
    : [
        reason(
          'no_backends',
          `its backend ${gateway.backend} is not configured in the project any more`,
          { has: gateway.backend },
        ),
      ];
  if (isGatewayFailed(gateway.status)) {
    const text = `has failed: ${gateway.statusMessage ?? 'nobody said why'}`;
    const reasons = [reason('failed', text, { since: gateway.lastProcessedAt }), ...removed];
    const again = fix('Delete it, and create it again once that is mended', {
      command: `dstack gateway delete ${gateway.name}`,
    });
    return diagnosisOf(
      { state: 'failed', waits: false, summary: `${about} ${text}.`, reasons },
      { fixes: [again] },
    );
  }
  if (gateway.toBeDeleted) {
    const text = 'is being deleted';
    const reasons = [reason('terminating', text), ...removed];
    return diagnosisOf({ state: 'stopping', waits: true, summary: `${about} ${text}.`, reasons });
  }
  if (isGatewayPassing(gateway.status)) {
    const until = gateway.createdAt + GATEWAY_PROVISION_LIMIT;
    const text = `is being made, and has to be up ${atText(until, now)}`;
    const reasons = [reason('creating', text, { since: gateway.createdAt, until }), ...removed];
    return diagnosisOf({ state: 'creating', waits: true, summary: `${about} ${text}.`, reasons });
  }
  const names = new Names(gateway.projectId, projectNames, viewer).runs(services);
  const used = names === null ? 'serves nothing' : `serves ${names}`;
  const reasons =
    services.length === 0
      ? removed
      : [reason('in_use', used, { count: services.length }), ...removed];
  return diagnosisOf({
    state: 'active',
    waits: false,
    summary: `${about} runs, and ${used}.`,
    reasons,
  });
}
