import { isAttachFailed } from '@dstack/contract/status';
import { formatOptionalTimestamp, formatTimestamp, type Volume } from '@dstack/contract/wire';
import type { Timestamp } from '@dstack/core';
import type { VolumeView } from '@dstack/store';

/** The price of a volume is for 30 days, in microseconds here. */
const PRICE_PERIOD = 30 * 24 * 3_600_000_000;

export function wireVolume(view: VolumeView, now: Timestamp): Volume {
  const { volume, attachments } = view;
  const price = volume.provisioningData?.price ?? 0;
  const age = (volume.deletedAt ?? now) - volume.createdAt;
  return {
    id: volume.id,
    name: volume.name,
    user: view.userName,
    project_name: view.projectName,
    configuration: volume.configuration,
    external: volume.external,
    created_at: formatTimestamp(volume.createdAt),
    last_processed_at: formatTimestamp(volume.lastProcessedAt),
    status: volume.status,
    status_message: volume.statusMessage,
    deleted: volume.deleted,
    deleted_at: formatOptionalTimestamp(volume.deletedAt),
    volume_id: volume.provisioningData?.volume_id ?? null,
    provisioning_data: volume.provisioningData,
    cost: Math.round((price * age * 10_000) / PRICE_PERIOD) / 10_000,
    attachments: attachments.filter(isShown).map((attachment) => ({
      instance: {
        name: attachment.instanceName,
        fleet_name: attachment.fleetName,
        instance_num: attachment.instanceNum,
        instance_id: attachment.instanceId,
      },
      attachment_data: attachment.attachmentData,
    })),
    attachment_data: attachments[0]?.attachmentData ?? null,
  };
}

/** The wire has no attachments that failed. */
const isShown = ({ status }: VolumeView['attachments'][number]): boolean => !isAttachFailed(status);
