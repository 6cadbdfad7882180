import type { ServiceTrafficSum } from '@dstack/contract/wire';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Waypoints } from 'lucide-react';
import { useMemo } from 'react';
import { ResourceList, useListAddress } from '../../app/lists/resource-list.tsx';
import { runList } from '../../data/runs/run-queries.ts';
import type { RunRow } from '../../data/runs/run-row.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { NameLink } from '../../domain/links/name-link.tsx';
import { nameColumn, projectColumn, statusColumn } from '../../domain/lists/common-columns.tsx';
import { useDelayedStops } from '../../domain/runs/delayed-stops-context.tsx';
import { runLook } from '../../domain/runs/run-look.ts';
import { useRunRowActions } from '../../domain/runs/use-run-row-actions.ts';
import { withDelayedStops } from '../../domain/runs/with-delayed-stops.ts';
import {
  inFlightText,
  latencyText,
  rateText,
  replicasText,
} from '../../domain/services/service-figures.ts';
import { useServiceFigures } from '../../domain/services/use-service-figures.ts';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { CopyButton } from '../../ui/copy/copy-button.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { RelativeTime } from '../../ui/time/time.tsx';

/** The services that run, their addresses and their models. */
export function ServicesPage() {
  const address = useListAddress();
  const client = useClient();
  const query = useInfiniteQuery(
    runList(client, { project: address.project, user: null, active: true }),
  );
  const services = useMemo(
    () => query.data?.pages.flat().filter(({ type }) => type === 'service'),
    [query.data],
  );
  const figures = useServiceFigures(services ?? NONE, MOST_WITH_FIGURES);
  const stops = useDelayedStops();
  const rows = useMemo(
    () =>
      services &&
      withDelayedStops(services, stops).map((run) => ({
        ...run,
        figures: figures.get(run.id) ?? null,
      })),
    [services, figures, stops],
  );
  const rowActions = useRunRowActions();
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
      rowActions={rowActions}
      groups={GROUPS}
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

interface ServiceRow extends RunRow {
  /** Null: not known. */
  readonly figures: ServiceTrafficSum | null;
}

const NONE: readonly RunRow[] = [];

/** More services are shown without figures: one request for each project has them all (`MOST_TRAFFIC_SERVICES`). */
const MOST_WITH_FIGURES = 100;

const GROUPS = {
  project: { label: 'Project', of: ({ project }: RunRow) => project },
  user: { label: 'User', of: ({ user }: RunRow) => user },
  status: { label: 'Status', of: (row: RunRow) => runLook(row).text },
  model: { label: 'Model', of: ({ service }: RunRow) => service?.model ?? 'No model' },
};

const textsOf = (row: RunRow) => [
  row.name,
  row.project,
  row.user,
  row.service?.model,
  row.service?.url,
];

const absolute = (url: string): string => new URL(url, location.origin).href;

const COLUMNS: readonly TableColumn<ServiceRow>[] = [
  nameColumn('Service', 150, (row) => (
    <NameLink to="/projects/$project/runs/$run" params={{ project: row.project, run: row.name }}>
      {row.name}
    </NameLink>
  )),
  statusColumn(142, (row) => runLook(row)),
  {
    id: 'model',
    header: 'Model',
    width: 130,
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
    width: 204,
    yields: 4,
    cell: ({ service }) =>
      service === null ? null : (
        <>
          <CopyButton text={absolute(service.url)} label="Copy the address" />{' '}
          <span title={absolute(service.url)}>{absolute(service.url)}</span>
        </>
      ),
  },
  {
    id: 'rate',
    header: 'Requests',
    width: 84,
    align: 'end',
    card: 'detail',
    cell: ({ figures }) => figures && rateText(figures),
  },
  {
    id: 'p50',
    header: 'p50',
    width: 76,
    yields: 5,
    align: 'end',
    cell: ({ figures }) => figures && latencyText(figures.p50_ms),
  },
  {
    id: 'p95',
    header: 'p95',
    width: 76,
    yields: 1,
    align: 'end',
    hidden: true,
    cell: ({ figures }) => figures && latencyText(figures.p95_ms),
  },
  {
    id: 'p99',
    header: 'p99',
    width: 76,
    yields: 2,
    align: 'end',
    cell: ({ figures }) => figures && latencyText(figures.p99_ms),
  },
  {
    id: 'in-flight',
    header: 'In flight',
    width: 84,
    yields: 3,
    align: 'end',
    cell: ({ figures }) => figures && inFlightText(figures),
  },
  {
    id: 'replicas',
    header: 'Replicas',
    width: 80,
    align: 'end',
    cell: ({ replicas, figures }) =>
      replicas && replicasText(replicas, figures).replace(/ replicas?$/, ''),
  },
  projectColumn(100, ({ project }) => project),
  { id: 'user', header: 'User', width: 100, yields: 7, cell: ({ user }) => <bdi>{user}</bdi> },
  {
    id: 'submitted',
    header: 'Submitted',
    width: 100,
    yields: 6,
    align: 'end',
    card: 'detail',
    cell: ({ submittedAt }) => <RelativeTime at={submittedAt} />,
  },
];
