import { SearchX } from 'lucide-react';
import { useMemo } from 'react';
import {
  BAR_LABELS,
  barSubject,
  barTimes,
  type LanedBar,
} from '../../domain/capacity/board-bars.ts';
import { instanceLook } from '../../domain/fleets/fleet-look.ts';
import { gpuText } from '../../domain/format/resources.ts';
import { NameLink } from '../../domain/links/name-link.tsx';
import { nameColumn, statusColumn } from '../../domain/lists/common-columns.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { DataTable } from '../../ui/table/data-table.tsx';
import type { RowActionsOf } from '../../ui/table/row-action.ts';
import { useTicking } from '../../ui/time/clock.ts';
import { absoluteTime, relativeTimeText } from '../../ui/time/format-time.ts';
import type { BoardRowData } from './board-rows.ts';
import { useBars } from './use-bars.ts';

interface BoardTableProps {
  readonly project: string;
  readonly rows: readonly BoardRowData[] | undefined;
  readonly rowActions: RowActionsOf<BoardRowData>;
}

/** The facts of the board as a table. */
export function BoardTable({ project, rows, rowActions }: BoardTableProps) {
  const columns = useMemo(() => columnsOf(project), [project]);
  return (
    <DataTable
      label="Capacity"
      rows={rows}
      columns={columns}
      rowId={({ instance }) => instance.id}
      rowName={({ instance }) => instance.name}
      rowActions={rowActions}
      empty={<EmptyState icon={SearchX} title="No instance matches the filters" />}
    />
  );
}

function columnsOf(project: string): readonly TableColumn<BoardRowData>[] {
  return [
    nameColumn('Instance', 140, ({ instance }) => (
      <NameLink
        to="/projects/$project/instances/$instance"
        params={{ project: instance.project_name, instance: instance.id }}
      >
        {instance.name}
      </NameLink>
    )),
    statusColumn(140, ({ instance }) => instanceLook(instance)),
    {
      ...{ id: 'gpus', header: 'GPUs', width: 114, yields: 1 },
      cell: ({ instance }) =>
        instance.instance_type ? gpuText(instance.instance_type.resources) || '–' : '',
    },
    {
      ...{ id: 'now', header: 'Jobs', width: 300, card: 'detail' },
      cell: (row) => <Bars project={project} row={row} isNow />,
    },
    {
      ...{ id: 'next', header: 'Next', width: 300, card: 'detail' },
      cell: (row) => <Bars project={project} row={row} isNow={false} />,
    },
  ];
}

const isPresent = ({ kind }: LanedBar): boolean => kind === 'running' || kind === 'leaving';

/** The jobs of now, or what comes after them, in words. */
function Bars(props: {
  readonly project: string;
  readonly row: BoardRowData;
  readonly isNow: boolean;
}) {
  const { project, row, isNow } = props;
  const now = useTicking((time) => Math.floor(time / PACE) * PACE);
  const { bars, total, problem } = useBars(project, row, now);
  const shown = bars.filter((bar) => isPresent(bar) === isNow);
  if (isNow && problem !== null) return problem;
  if (shown.length === 0) return isNow ? 'free' : '–';
  const text = (format: (time: number) => string) =>
    shown.map((bar) => `${labelOf(bar)}${barSubject(bar, total)}, ${barTimes(bar, format)}`);
  return (
    <span title={text(absoluteTime).join('\n')}>
      {text((time) => relativeTimeText(time, now)).join('; ')}
    </span>
  );
}

/** The times of the others have their kind. */
const labelOf = ({ kind }: LanedBar): string => (kind === 'tried' ? `${BAR_LABELS.tried}: ` : '');

const PACE = 10_000;
