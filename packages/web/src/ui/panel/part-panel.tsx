import { Lock } from 'lucide-react';
import type { ReactNode } from 'react';
import { Button } from '../button/button.tsx';
import { EmptyState } from '../feedback/empty-state.tsx';
import { ErrorPanel } from '../feedback/error-panel.tsx';
import type { TableColumn } from '../table/column.ts';
import { DataTable } from '../table/data-table.tsx';
import { Stack } from './columns.tsx';
import { Panel } from './panel.tsx';

export interface PartPanelProps<Row> {
  readonly title: string;
  readonly query: { readonly error: unknown; readonly refetch: () => unknown };
  /** Why the user may not see it; null: they may. */
  readonly refusal: string | null;
  readonly rows: readonly Row[] | undefined;
  readonly columns: readonly TableColumn<Row>[];
  readonly rowId: (row: Row) => string;
  readonly rowName: (row: Row) => string;
  readonly actions?: ReactNode;
  readonly empty: ReactNode;
}

/** A list that belongs to a project or a user, with the states of its loading. */
export function PartPanel<Row>(props: PartPanelProps<Row>) {
  const { title, query, refusal, rows, columns, rowId, rowName, actions, empty } = props;
  return (
    <Stack>
      <Panel title={title} count={rows?.length} actions={actions} flush={!!rows?.length}>
        {refusal !== null ? (
          <EmptyState icon={Lock} title={refusal}>
            <p>An admin of the project can change your role.</p>
          </EmptyState>
        ) : rows === undefined && query.error !== null ? (
          <ErrorPanel
            title={`The ${title.toLowerCase()} could not be loaded`}
            error={query.error}
            onRetry={() => void query.refetch()}
          />
        ) : (
          <DataTable
            label={title}
            rows={rows}
            columns={columns}
            rowId={rowId}
            rowName={rowName}
            empty={empty}
            inline
          />
        )}
      </Panel>
    </Stack>
  );
}

export interface RowAction<Row> {
  readonly label: string;
  readonly run: (row: Row) => void;
}

/** The last column: what can be done with a row. */
export function rowActions<Row>(
  actions: readonly RowAction<Row>[],
  nameOf: (row: Row) => string,
): TableColumn<Row> {
  return {
    id: 'actions',
    header: 'Actions',
    width: 40 + actions.reduce((sum, { label }) => sum + 24 + label.length * 8, 0),
    align: 'end',
    card: 'status',
    cell: (row) =>
      actions.map(({ label, run }) => (
        <Button
          key={label}
          size="sm"
          variant="quiet"
          aria-label={`${label} ${nameOf(row)}`}
          onClick={() => run(row)}
        >
          {label}
        </Button>
      )),
  };
}
