import type { Share } from '@dstack/contract/wire';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Scale } from 'lucide-react';
import { useMemo } from 'react';
import { type ListAddress, ResourceList } from '../../app/lists/resource-list.tsx';
import { shareList } from '../../data/quotas/share-query.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { NameLink } from '../../domain/links/name-link.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { ROW_FOCUS } from '../../ui/table/row-navigation.ts';
import { useNarrow } from '../../ui/table/use-narrow.ts';
import styles from './quotas.module.css';

interface SharesProps {
  readonly address: ListAddress;
  readonly project: string | null;
  /** Leads back to the quotas. */
  readonly filters: React.ReactNode;
}

interface ShareRow extends Share {
  readonly key: string;
}

/** The shares of the projects that use the same capacity, and of their users: who is next in line. */
export function Shares({ address, project, filters }: SharesProps) {
  const query = useQuery({
    ...shareList(useClient(), project ?? ''),
    enabled: project !== null,
    placeholderData: keepPreviousData,
  });
  const { data } = query;
  const columns = useNarrow() ? CARDS : TABLE;
  const rows = useMemo(
    () => data?.map((share, place): ShareRow => ({ ...share, key: String(place) })),
    [data],
  );
  return (
    <ResourceList
      title="Shares"
      noun="share"
      address={address}
      query={query}
      rows={rows}
      textsOf={textsOf}
      columns={columns}
      rowId={({ key }) => key}
      rowName={nameOf}
      filters={filters}
      notice={
        project === null || !rows?.length ? null : (
          <p className={styles.notice}>
            Projects that share capacity with <bdi>{project}</bdi>, and their users. The one with
            the lowest ratio is placed first.
          </p>
        )
      }
      empty={
        <EmptyState icon={Scale} title="Capacity is not shared by weight">
          <p>
            As soon as the quota of a project has a weight, runs of projects and users that have
            used less for their weight come first. Until then runs come by priority and age.
          </p>
          <CommandBlock text="dstack quota set --weight 1" />
        </EmptyState>
      }
    />
  );
}

const OTHER = 'Another project';

const nameOf = ({ project_name, user_name }: Share): string =>
  [project_name ?? OTHER, user_name].filter((part) => part !== null).join(', ');

const textsOf = ({ project_name, user_name, next }: ShareRow) => [project_name, user_name, next];

/** `12.3`, `0`: hours and numbers of GPUs. */
const figure = (value: number): string => String(Math.round(value * 100) / 100);

/** Cards have no headers, so their figures have words. */
const columnsFor = (isNarrow: boolean): readonly TableColumn<ShareRow>[] => [
  {
    ...{ id: 'name', header: 'Share of', width: 200, grow: true, locked: true, card: 'title' },
    cell: ({ project_name, user_name }) => (
      <span
        tabIndex={-1}
        {...{ [ROW_FOCUS]: '' }}
        className={user_name === null ? undefined : styles.user}
      >
        <bdi>{user_name ?? project_name ?? OTHER}</bdi>
      </span>
    ),
    value: nameOf,
  },
  { id: 'weight', header: 'Weight', width: 80, align: 'end', cell: ({ weight }) => weight },
  {
    ...{ id: 'usage', header: 'Used (GPU h)', width: 110, align: 'end' },
    cell: ({ usage }) => figure(usage),
    value: ({ usage }) => usage,
  },
  {
    ...{ id: 'rate', header: 'Used now', width: 90, align: 'end' },
    cell: ({ rate }) => figure(rate),
    value: ({ rate }) => rate,
  },
  {
    ...{ id: 'ratio', header: 'Ratio', width: 90, align: 'end', locked: true, card: 'status' },
    cell: ({ ratio }) => `${isNarrow ? 'ratio ' : ''}${figure(ratio)}`,
    value: ({ ratio }) => ratio,
  },
  {
    ...{ id: 'next', header: 'Next in line', width: 180, card: 'detail' },
    cell: ({ next, project_name }) =>
      next === null || project_name === null ? (
        '–'
      ) : (
        <>
          {isNarrow ? 'next: ' : null}
          <NameLink to="/projects/$project/runs/$run" params={{ project: project_name, run: next }}>
            {next}
          </NameLink>
        </>
      ),
    value: ({ next }) => next,
  },
];

const TABLE = columnsFor(false);
const CARDS = columnsFor(true);
