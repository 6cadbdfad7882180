/** The addresses of services, below a table of runs. */
import { customUrls } from '@dstack/contract/custom-urls';
import { isRunFinished } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';
import type { Connection } from '../context.ts';
import { renderTable, type TableLayout, type TableRow } from '../terminal/table.ts';
import { absolute } from './service-url.ts';

/** Empty if none of these runs is a service that has not finished; begins with an empty line. */
export function renderAddresses(
  runs: readonly Run[],
  connection: Connection,
  layout: TableLayout,
): string {
  const rows = runs.flatMap((run): TableRow[] => {
    if (!run.service || isRunFinished(run.status)) return [];
    const { url, model } = run.service;
    const urls = [absolute(url, connection), ...customUrls(run.service)];
    const base = model ? [`${absolute(model.base_url, connection)} (model ${model.name})`] : [];
    return addressRows(run.run_spec.run_name ?? '', [...urls, ...base]);
  });
  return rows.length === 0 ? '' : `\n${renderAddressTable(rows, layout)}`;
}

/** The name stands in the first row only. */
export function addressRows(name: string, addresses: readonly string[]): TableRow[] {
  return addresses.map((one, index) => [index === 0 ? { text: name, style: 'bold' } : '', one]);
}

export function renderAddressTable(rows: readonly TableRow[], layout: TableLayout): string {
  const columns = [
    { header: 'SERVICE', keep: true },
    { header: 'ADDRESS', below: 40 },
  ];
  return renderTable(columns, rows, layout);
}
