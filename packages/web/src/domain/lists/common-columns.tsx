/** Columns that the lists of runs, services, fleets, instances, volumes and gateways share. */
import type { ReactNode } from 'react';
import { StatusBadge, type StatusLook } from '../../ui/status/status-badge.tsx';
import type { TableColumn } from '../../ui/table/column.ts';

/** `link` is a `NameLink` to the page of the row; widths are in px. */
export function nameColumn<Row>(
  header: string,
  width: number,
  link: (row: Row) => ReactNode,
): TableColumn<Row> {
  return { id: 'name', header, width, grow: true, locked: true, card: 'title', cell: link };
}

export function statusColumn<Row>(width: number, look: (row: Row) => StatusLook): TableColumn<Row> {
  return {
    id: 'status',
    header: 'Status',
    width,
    locked: true,
    card: 'status',
    cell: (row) => <StatusBadge look={look(row)} />,
    value: (row) => look(row).text,
  };
}

export function projectColumn<Row>(width: number, project: (row: Row) => string): TableColumn<Row> {
  return { id: 'project', header: 'Project', width, card: 'detail', cell: project };
}
