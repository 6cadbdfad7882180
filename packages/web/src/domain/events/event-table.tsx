import { useInfiniteQuery } from '@tanstack/react-query';
import { History } from 'lucide-react';
import { type ReactNode, useMemo } from 'react';
import { type EventSelection, eventList } from '../../data/events/event-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { DataTable } from '../../ui/table/data-table.tsx';
import { EVENT_COLUMNS } from './event-columns.tsx';

interface EventTableProps {
  readonly filter: EventSelection;
  /** Shown instead of the usual text if there are none. */
  readonly empty?: ReactNode;
  /** Grows with its rows instead of filling the page. */
  readonly inline?: boolean;
}

/** Events, newest first; older ones are loaded while the reader scrolls. */
export function EventTable({ filter, empty, inline }: EventTableProps) {
  const client = useClient();
  const { data, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(
    eventList(client, filter),
  );
  const rows = useMemo(() => data?.pages.flat(), [data]);
  if (rows === undefined && error !== null) {
    return (
      <ErrorPanel
        title="The events could not be loaded"
        error={error}
        onRetry={() => void refetch()}
      />
    );
  }
  return (
    <DataTable
      label="Events"
      {...(inline === undefined ? {} : { inline })}
      rows={rows}
      columns={EVENT_COLUMNS}
      rowId={({ id }) => id}
      rowName={({ message }) => message}
      onMore={hasNextPage && !isFetchingNextPage ? () => void fetchNextPage() : undefined}
      empty={
        empty ?? (
          <EmptyState icon={History} title="No events">
            <p>Every change that users and the server make is recorded here.</p>
          </EmptyState>
        )
      }
    />
  );
}
