import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { ChartNoAxesColumn } from 'lucide-react';
import { useMemo } from 'react';
import { modelUsageQuery } from '../../data/services/service-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { count } from '../../domain/format/quantities.ts';
import { modelUses, type UseOfModel } from '../../domain/services/model-use.ts';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { PartPanel } from '../../ui/panel/part-panel.tsx';
import { Select } from '../../ui/select/select.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { useProject } from './project-context.tsx';

const route = getRouteApi('/shell/projects/$project/usage');

/** Tokens of the models that the services of the project serve, by user. */
export function ProjectUsagePage() {
  const { project_name: name } = useProject();
  const { days = '30' } = route.useSearch();
  const navigate = useNavigate({ from: '/projects/$project/usage' });
  const query = useQuery(modelUsageQuery(useClient(), name, Number(days)));
  const rows = useMemo(() => query.data && modelUses(query.data.usage), [query.data]);
  return (
    <PartPanel
      title="Use of models"
      query={query}
      refusal={null}
      rows={rows}
      columns={COLUMNS}
      rowId={({ model, user }) => JSON.stringify([model, user])}
      rowName={({ model, user }) => `${model} by ${user}`}
      actions={
        <Select
          label="Period"
          size="sm"
          value={days}
          options={PERIODS}
          onChange={(next) =>
            void navigate({
              search: (before) => ({ ...before, days: next === '30' ? undefined : next }),
              replace: true,
            })
          }
        />
      }
      empty={
        <EmptyState icon={ChartNoAxesColumn} title="No requests to models in this time">
          <p>
            Requests to services with a <code>model</code> are counted here, with the tokens that
            the model reports.
          </p>
        </EmptyState>
      }
    />
  );
}

const PERIODS = [
  { value: '1', label: 'Today' },
  { value: '7', label: '7 days' },
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
] as const;

const COLUMNS: readonly TableColumn<UseOfModel>[] = [
  {
    id: 'model',
    header: 'Model',
    width: 200,
    grow: true,
    card: 'title',
    cell: ({ model }) => <bdi>{model}</bdi>,
  },
  { id: 'user', header: 'User', width: 130, card: 'detail', cell: ({ user }) => <bdi>{user}</bdi> },
  figure('requests', 'Requests', ({ requests }) => requests),
  figure('prompt', 'Prompt tokens', ({ promptTokens }) => promptTokens, 'detail'),
  figure('completion', 'Completion tokens', ({ completionTokens }) => completionTokens, 'detail'),
  figure('aborted', 'Aborted', ({ aborted }) => aborted),
  figure('estimated', 'Estimated', ({ estimated }) => estimated),
];

function figure(
  id: string,
  header: string,
  of: (use: UseOfModel) => number,
  card?: 'detail',
): TableColumn<UseOfModel> {
  return {
    id,
    header,
    width: 90 + header.length * 3,
    align: 'end',
    cell: (use) =>
      card === undefined ? count(of(use)) : <span title={header}>{count(of(use))}</span>,
    ...(card === undefined ? {} : { card }),
  };
}
