import { resourceText, shownUses } from '@dstack/contract/quota-text';
import type { Quota, QuotaUse } from '@dstack/contract/wire';
import { renderTable, type TableLayout } from '../../terminal/table.ts';

/** A line for each resource that a quota names; a quota of a weight alone has one line. */
export function renderQuotaTable(quotas: readonly Quota[], layout: TableLayout): string {
  const rows = quotas.flatMap((quota) => {
    const uses = shownUses(quota);
    return (uses.length > 0 ? uses : [null]).map((use, index) => [
      { text: quota.project_name, style: 'bold' as const },
      quota.fleet_name ?? '-',
      use?.user_name ?? quota.user_name ?? '-',
      use?.resource ?? '-',
      amount(use, use?.used),
      amount(use, use?.guaranteed),
      amount(use, use?.limit),
      index === 0 && quota.weight !== null ? String(quota.weight) : '-',
    ]);
  });
  const columns = [
    { header: 'PROJECT', keep: true },
    { header: 'FLEET' },
    { header: 'USER' },
    { header: 'RESOURCE', keep: true },
    { header: 'USED', keep: true },
    { header: 'GUARANTEED' },
    { header: 'LIMIT', keep: true },
    { header: 'WEIGHT' },
  ];
  return renderTable(columns, rows, layout);
}

function amount(use: QuotaUse | null, value: number | null | undefined): string {
  return use === null || value === null || value === undefined
    ? '-'
    : resourceText(use.resource, value);
}
