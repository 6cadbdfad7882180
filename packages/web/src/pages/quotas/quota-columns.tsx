import { QuotaBarView } from '../../domain/quotas/quota-bar-view.tsx';
import {
  amountOf,
  type QuotaRow,
  resourceName,
  usageText,
} from '../../domain/quotas/quota-rows.ts';
import type { TableColumn } from '../../ui/table/column.ts';
import { ROW_FOCUS } from '../../ui/table/row-navigation.ts';
import styles from './quotas.module.css';

const COLUMNS: readonly TableColumn<QuotaRow>[] = [
  {
    ...{ id: 'subject', header: 'Quota of', width: 180, grow: true, locked: true, card: 'title' },
    cell: ({ subject, user }) => (
      <span tabIndex={-1} {...{ [ROW_FOCUS]: '' }}>
        <bdi>{subject}</bdi>
        {user === null ? null : (
          <span className={styles.faint}>
            {': '}
            <bdi>{user}</bdi>
          </span>
        )}
      </span>
    ),
  },
  {
    ...{ id: 'resource', header: 'Resource', width: 130, locked: true, card: 'status' },
    cell: ({ resource }) => resourceName(resource),
  },
  {
    ...{ id: 'bar', header: 'Use', width: 170, notExported: true },
    cell: (row) => (
      <span className={styles.use}>
        <QuotaBarView row={row} />
      </span>
    ),
  },
  {
    // Cards have no bars and no headers.
    ...{ id: 'text', header: 'In words', width: 240, hidden: true, card: 'detail' },
    cell: (row) => usageText(row),
  },
  {
    ...{ id: 'used', header: 'Used', width: 90, align: 'end' },
    cell: (row) => (row.resource === '' ? '' : amountOf(row, row.used)),
    value: ({ used }) => used,
  },
  {
    ...{ id: 'guaranteed', header: 'Guaranteed', width: 96, align: 'end' },
    cell: (row) => amountOf(row, row.guaranteed),
    value: ({ guaranteed }) => guaranteed,
  },
  {
    ...{ id: 'borrowed', header: 'Borrowed', width: 90, align: 'end', yields: 1 },
    cell: (row) => amountOf(row, row.borrowed),
    value: ({ borrowed }) => borrowed,
  },
  {
    ...{ id: 'limit', header: 'Limit', width: 90, align: 'end' },
    cell: (row) => amountOf(row, row.limit),
    value: ({ limit }) => limit,
  },
  {
    ...{ id: 'weight', header: 'Weight', width: 72, align: 'end', yields: 2 },
    cell: ({ weight }) => weight ?? '–',
    value: ({ weight }) => weight,
  },
];

/** All columns of the list of quotas, in their order. Cards have the text in place of the bar. */
export const QUOTA_COLUMNS = {
  table: COLUMNS,
  cards: COLUMNS.map((column) => (column.id === 'text' ? { ...column, hidden: false } : column)),
} as const;
