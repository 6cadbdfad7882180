import type { ReplicaTraffic, ServiceTraffic } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { type NamedService, serviceTrafficQuery } from '../../data/services/service-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import {
  inFlightText,
  latencyText,
  outcomesText,
  rateText,
} from '../../domain/services/service-figures.ts';
import {
  countText,
  errorsText,
  partText,
  replicaLook,
  replicaText,
  replicaTitle,
  tokensText,
  trafficNotes,
} from '../../domain/services/service-traffic.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { Properties, type Property } from '../../ui/panel/properties.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { DataTable } from '../../ui/table/data-table.tsx';
import { useNarrow } from '../../ui/table/use-narrow.ts';
import styles from './traffic-panel.module.css';

/** The requests of a service in the last minute, and how its replicas share them. */
export function TrafficPanel({ service }: { readonly service: NamedService }) {
  const { data, dataUpdatedAt } = useQuery(serviceTrafficQuery(useClient(), service));
  const narrow = useNarrow();
  if (data === undefined) return null;
  const notes = trafficNotes(data);
  return (
    <Panel title="Traffic" flush>
      <div className={styles.figures}>
        <Properties items={[...figures(data), ...modelFigures(data)]} />
      </div>
      {data.replicas.length === 0 ? null : (
        <DataTable
          label="Traffic of replicas"
          inline
          rows={data.replicas}
          columns={narrow ? cards(dataUpdatedAt) : table(data.replicas, dataUpdatedAt)}
          rowId={({ job_id }) => job_id}
          rowName={replicaTitle}
          empty={null}
        />
      )}
      {notes.length === 0 ? null : (
        <ul className={styles.notes}>
          {notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function figures(data: ServiceTraffic): readonly Property[] {
  return [
    { label: `Requests in ${Math.round(data.window_seconds)} s`, value: countText(data.requests) },
    { label: 'Errors', value: errorsText(data) },
    { label: 'Rate', value: rateText(data) },
    { label: 'In flight', value: inFlightText(data) },
    { label: 'p50', value: latencyText(data.p50_ms) },
    { label: 'p95', value: latencyText(data.p95_ms) },
    { label: 'p99', value: latencyText(data.p99_ms) },
    { label: 'Answered since the start', value: outcomesText(data.answered) },
  ];
}

function modelFigures({ model }: ServiceTraffic): readonly Property[] {
  if (model === null) return [];
  return [
    { label: 'Tokens', value: tokensText(model.completion_tokens_per_second) },
    { label: 'Prompt tokens', value: tokensText(model.prompt_tokens_per_second) },
    { label: 'First token p50', value: latencyText(model.first_token_p50_ms) },
    { label: 'First token p95', value: latencyText(model.first_token_p95_ms) },
  ];
}

/** `now`: milliseconds since the epoch. */
function table(
  replicas: readonly ReplicaTraffic[],
  now: number,
): readonly TableColumn<ReplicaTraffic>[] {
  const hasGroups = new Set(replicas.map(({ group }) => group)).size > 1;
  const group: TableColumn<ReplicaTraffic> = {
    ...{ id: 'group', header: 'Group', width: 90, yields: 3, cell: (one) => one.group },
  };
  return [
    {
      ...{ id: 'replica', header: 'Replica', width: 70 },
      cell: ({ replica_num }) => String(replica_num),
    },
    ...(hasGroups ? [group] : []),
    {
      ...{ id: 'state', header: 'State', width: 150, grow: true },
      cell: (one) => <StatusBadge look={replicaLook(one, now)} />,
    },
    figure('requests', 'Requests', ({ requests }) => countText(requests)),
    { ...figure('weight', 'Weight', ({ weight }) => partText(weight)), yields: 2 },
    figure('errors', 'Errors', errorsText),
    { ...figure('p50', 'p50', ({ p50_ms }) => latencyText(p50_ms)), yields: 5 },
    { ...figure('p95', 'p95', ({ p95_ms }) => latencyText(p95_ms)), yields: 1 },
    { ...figure('p99', 'p99', ({ p99_ms }) => latencyText(p99_ms)), yields: 4 },
    figure('flight', 'In flight', ({ in_flight }) => countText(in_flight)),
  ];
}

const figure = (
  id: string,
  header: string,
  cell: (one: ReplicaTraffic) => string,
): TableColumn<ReplicaTraffic> => ({ id, header, width: 84, align: 'end', cell });

/** Cards have no headers. */
const cards = (now: number): readonly TableColumn<ReplicaTraffic>[] => [
  { id: 'replica', header: 'Replica', width: 70, card: 'title', cell: replicaTitle },
  {
    ...{ id: 'state', header: 'State', width: 150, card: 'status' },
    cell: (one) => <StatusBadge look={replicaLook(one, now)} />,
  },
  { id: 'figures', header: 'Requests', width: 200, card: 'detail', cell: replicaText },
];
