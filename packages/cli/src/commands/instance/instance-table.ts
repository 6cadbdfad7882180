import { plainLine } from '@dstack/contract/plain-text';
import type { Instance } from '@dstack/contract/wire';
import { instanceGpu, instanceResources } from '../../format/resources.ts';
import { relativeTime } from '../../format/time.ts';
import { backendWithHost, price } from '../../format/values.ts';
import { renderTable, type TableLayout } from '../../terminal/table.ts';
import { instanceStatus } from '../fleet/fleet-table.ts';
import { careText } from './care-text.ts';

export interface InstanceTableOptions {
  readonly verbose: boolean;
  readonly project: string;
  /** ms since the epoch */
  readonly now: number;
  readonly layout: TableLayout;
}

/** With its project before it if its fleet is imported. */
export function nameIn(project: string, { name, project_name: owner }: Instance): string {
  return owner === project ? name : `${owner}/${name}`;
}

export function renderInstanceTable(
  instances: readonly Instance[],
  { verbose, project, now, layout }: InstanceTableOptions,
): string {
  const hasScheduling = instances.some(({ scheduling }) => scheduling);
  const columns = [
    { header: 'NAME', keep: true },
    verbose ? { header: 'RESOURCES', optional: 2 } : { header: 'GPU', optional: 3 },
    { header: 'BACKEND', optional: 2 },
    { header: 'PRICE', optional: 4 },
    { header: 'STATUS', keep: true },
    ...(hasScheduling ? [{ header: 'SCHEDULING', keep: true }] : []),
    { header: 'CREATED', optional: 5 },
  ];
  const rows = instances.map((instance) => {
    const resources = instance.instance_type?.resources;
    const size = verbose
      ? instanceResources
      : ({ gpus }: typeof resources & object) => instanceGpu(gpus);
    return [
      { text: nameIn(project, instance), style: 'bold' as const },
      (resources && size(resources)) || '-',
      backendWithHost(instance),
      instance.price === null ? '-' : price(instance.price),
      instanceStatus(instance),
      ...(hasScheduling ? [plainLine(careText(instance))] : []),
      relativeTime(instance.created, now),
    ];
  });
  return renderTable(columns, rows, layout);
}
