import type { ServerUsage, StoredKind } from '@dstack/contract/wire';
import { bytes } from '../../domain/format/quantities.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { DataTable } from '../../ui/table/data-table.tsx';

/** The sizes of the data in the database and in files by kind, the largest first. */
export function UsagePanel({ usage }: { readonly usage: ServerUsage | undefined }) {
  if (usage === undefined) return null;
  const rows = rowsOf(usage);
  const due = dueText(usage);
  return (
    <Panel title="Stored data" flush>
      <DataTable
        label="Stored data"
        inline
        rows={rows}
        columns={COLUMNS}
        rowId={({ kind }) => kind}
        rowName={({ kind }) => kind}
        empty={null}
      />
      {due !== null && <p>{due}</p>}
    </Panel>
  );
}

function rowsOf({ kinds, log_bytes, upload_bytes }: ServerUsage): StoredKind[] {
  const file = (kind: string, size: number | null): StoredKind[] =>
    size === null ? [] : [{ kind, rows: 0, bytes: size, is_exact: false, kept_seconds: null }];
  const files = [...file('output of jobs', log_bytes), ...file('uploads', upload_bytes)];
  return [...kinds, ...files].filter((one) => one.bytes > 0).sort((a, b) => b.bytes - a.bytes);
}

function dueText({ deletes_from, due_runs }: ServerUsage): string | null {
  if (due_runs === 0) return null;
  const runs = due_runs === 1 ? '1 run is' : `${due_runs} runs are`;
  if (deletes_from === null) return `${runs} past their time, and will be deleted soon.`;
  return `${runs} past their time, and will be deleted from ${deletes_from.slice(0, 10)} on.`;
}

const DAY = 86_400;

const COLUMNS: readonly TableColumn<StoredKind>[] = [
  {
    id: 'kind',
    header: 'Kind',
    width: 160,
    grow: true,
    card: 'title',
    cell: ({ kind }) => kind.replaceAll('_', ' '),
  },
  {
    id: 'rows',
    header: 'Rows',
    width: 110,
    align: 'end',
    cell: ({ rows }) => (rows === 0 ? '' : rows.toLocaleString('en-US')),
  },
  {
    id: 'size',
    header: 'Size',
    width: 110,
    align: 'end',
    card: 'detail',
    cell: (one) => bytes(one.bytes),
  },
  {
    id: 'kept',
    header: 'Kept',
    width: 110,
    cell: ({ kept_seconds }) =>
      kept_seconds === null ? '' : `${Math.round(kept_seconds / DAY)} days`,
  },
];
