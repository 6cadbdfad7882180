import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Waypoints } from 'lucide-react';
import { useMemo } from 'react';
import { ResourceList, useListAddress } from '../../app/lists/resource-list.tsx';
import { runList } from '../../data/runs/run-queries.ts';
import type { RunRow } from '../../data/runs/run-row.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { NameLink } from '../../domain/links/name-link.tsx';
import { runLook } from '../../domain/runs/run-look.ts';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { CopyButton } from '../../ui/copy/copy-button.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { RelativeTime } from '../../ui/time/time.tsx';

/** The services that run, their addresses and their models. */
export function ServicesPage() {
  const address = useListAddress();
  const query = useInfiniteQuery(
    runList(useClient(), { project: address.project, user: null, active: true }),
  );
  const rows = useMemo(
    () => query.data?.pages.flat().filter(({ type }) => type === 'service'),
    [query.data],
  );
  return (
    <ResourceList
      title="Services"
      noun="service"
      address={address}
      query={query}
      rows={rows}
      textsOf={textsOf}
      columns={COLUMNS}
      rowId={({ id }) => id}
      rowName={({ name }) => name}
      empty={
        <EmptyState icon={Waypoints} title="No services run">
          <p>
            A service answers requests at an address, with as many replicas as it needs. One that
            serves a model can be tried here:
          </p>
          <CommandBlock
            label="Copy the configuration"
            text={
              '# .dstack.yml\ntype: service\nname: llm\ncommands:\n  - vllm serve Qwen/Qwen3-8B\nport: 8000\nmodel: Qwen/Qwen3-8B\nresources:\n  gpu: 24GB'
            }
          />
          <CommandBlock text="dstack apply -f .dstack.yml" />
        </EmptyState>
      }
    />
  );
}

const textsOf = (row: RunRow) => [
  row.name,
  row.project,
  row.user,
  row.service?.model,
  row.service?.url,
];

const absolute = (url: string): string => new URL(url, location.origin).href;

const COLUMNS: readonly TableColumn<RunRow>[] = [
  {
    id: 'name',
    header: 'Service',
    width: 150,
    grow: true,
    locked: true,
    card: 'title',
    cell: (row) => (
      <NameLink to="/projects/$project/runs/$run" params={{ project: row.project, run: row.name }}>
        {row.name}
      </NameLink>
    ),
  },
  {
    id: 'status',
    header: 'Status',
    width: 142,
    locked: true,
    card: 'status',
    cell: (row) => <StatusBadge look={runLook(row)} />,
  },
  { id: 'project', header: 'Project', width: 100, card: 'detail', cell: ({ project }) => project },
  {
    id: 'model',
    header: 'Model',
    width: 200,
    card: 'detail',
    cell: ({ service, project, name }) =>
      service?.model ? (
        <Link to="/projects/$project/models/$run" params={{ project, run: name }}>
          <bdi>{service.model}</bdi>
        </Link>
      ) : (
        '–'
      ),
  },
  {
    id: 'url',
    header: 'Address',
    width: 300,
    cell: ({ service }) =>
      service === null ? null : (
        <>
          <CopyButton text={absolute(service.url)} label="Copy the address" />{' '}
          <span title={absolute(service.url)}>{absolute(service.url)}</span>
        </>
      ),
  },
  { id: 'replicas', header: 'Replicas', width: 80, align: 'end', cell: ({ jobs }) => jobs },
  { id: 'user', header: 'User', width: 100, cell: ({ user }) => <bdi>{user}</bdi> },
  {
    id: 'submitted',
    header: 'Submitted',
    width: 100,
    align: 'end',
    card: 'detail',
    cell: ({ submittedAt }) => <RelativeTime at={submittedAt} />,
  },
];
