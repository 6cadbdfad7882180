import { isVolumeActive, isVolumeFailed, type VolumeStatus } from '@dstack/contract/status';
import type { Volume } from '@dstack/contract/wire';
import type { StatusLook } from '../../ui/status/status-badge.tsx';

interface VolumeState {
  readonly status: VolumeStatus;
  readonly deleted: boolean;
  readonly attachments: Volume['attachments'];
}

/** How the status of a volume is shown. */
export function volumeLook({ status, deleted, attachments }: VolumeState): StatusLook {
  if (deleted) return { tone: 'stopped', icon: 'stopped', text: 'Deleted' };
  if (isVolumeFailed(status)) return { tone: 'failed', icon: 'failed', text: 'Failed' };
  if (!isVolumeActive(status)) {
    const text = status === 'submitted' ? 'Submitted' : 'Provisioning';
    return { tone: 'starting', icon: 'progress', text };
  }
  return isUsed(attachments)
    ? { tone: 'running', icon: 'active', text: 'In use' }
    : { tone: 'done', icon: 'idle', text: 'Not in use' };
}

const isUsed = (attachments: Volume['attachments']): boolean =>
  attachments !== null && attachments.length > 0;

/** Places on hosts have a region of their own in the API. */
const HOST_PREFIX = 'ssh:';

/** `aws eu-west-1`, `SSH fleet lab`, `server's machine`. */
export function volumePlaceText({
  backend,
  region,
}: {
  backend: string;
  region?: string | null;
}): string {
  if (region?.startsWith(HOST_PREFIX)) {
    const place = region.slice(HOST_PREFIX.length);
    return place === 'local' ? 'the server’s machine' : `SSH fleet ${place}`;
  }
  return region ? `${backend} ${region}` : backend;
}

/** `100 GB`; an empty text where the size is not known. */
export function volumeSize(volume: Volume): string {
  const size =
    volume.provisioning_data?.size_gb ??
    ('size' in volume.configuration ? volume.configuration.size : null);
  return size === null ? '' : `${size} GB`;
}
