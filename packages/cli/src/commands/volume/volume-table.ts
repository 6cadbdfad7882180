import type { Volume } from '@dstack/contract/wire';
import { relativeTime } from '../../format/time.ts';
import type { Style } from '../../terminal/style.ts';
import { renderTable, type TableLayout } from '../../terminal/table.ts';
import { volumePlace } from './volume-place.ts';

export interface VolumeTableOptions {
  readonly verbose: boolean;
  readonly now: number;
  readonly layout: TableLayout;
}

const STYLES: Readonly<Record<Volume['status'], Style>> = {
  submitted: 'secondary',
  provisioning: 'progress-bold',
  active: 'good-bold',
  failed: 'bad-bold',
};

export function renderVolumeTable(volumes: readonly Volume[], options: VolumeTableOptions): string {
  const { verbose } = options;
  const columns = [
    { header: 'NAME', keep: true },
    { header: 'BACKEND' },
    ...(verbose ? [{ header: 'REGION', optional: 2 }] : []),
    { header: 'STATUS', keep: true },
    ...(verbose ? [{ header: 'ATTACHED', optional: 3 }] : []),
    { header: 'CREATED', optional: 4 },
    ...(verbose ? [{ header: 'ERROR', optional: 1 }] : []),
  ];
  const rows = volumes.map((volume) => {
    const { backend, region } = volumePlace(volume.configuration);
    const zone = volume.provisioning_data?.availability_zone;
    return [
      { text: volume.name, style: 'bold' as const },
      verbose || region === null ? backend : `${backend} (${region})`,
      ...(verbose ? [zone ? `${region ?? ''} (${zone})` : (region ?? '')] : []),
      { text: volume.status, style: STYLES[volume.status] },
      ...(verbose ? [attached(volume)] : []),
      relativeTime(volume.created_at, options.now),
      ...(verbose ? [volume.status_message ?? ''] : []),
    ];
  });
  return renderTable(columns, rows, options.layout);
}

function attached(volume: Volume): string {
  const fleets = (volume.attachments ?? []).map((a) => a.instance.fleet_name ?? a.instance.name);
  return [...new Set(fleets)].sort().join(', ') || '-';
}
