import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { Tags } from 'lucide-react';
import { useMemo } from 'react';
import { ResourceList, useListAddress } from '../../app/lists/resource-list.tsx';
import { type OfferGrouping, offersQuery } from '../../data/offers/offer-queries.ts';
import { useHasNoProject, useUsualProject } from '../../data/projects/usual-project.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { count } from '../../domain/format/quantities.ts';
import { type OfferRow, offerGroupRows } from '../../domain/offers/offer-rows.ts';
import { NoProjectPage } from '../../domain/projects/no-project.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { Select } from '../../ui/select/select.tsx';
import { offerColumns } from './offer-columns.tsx';

const route = getRouteApi('/shell/offers');

/** The offers of the backends and fleets of a project, with their prices. */
export function OffersPage() {
  const client = useClient();
  const { kind = 'gpu', group = 'gpu', spot = 'auto' } = route.useSearch();
  const address = useListAddress();
  const { set } = address;
  const usual = useUsualProject();
  const hasNoProject = useHasNoProject();
  const project = address.project ?? usual;
  const query = useQuery({
    ...offersQuery(client, project ?? '', { kind, grouping: group, spot }),
    enabled: project !== null,
    placeholderData: keepPreviousData,
  });
  const { data } = query;
  const rows = useMemo(() => data && offerGroupRows(data), [data]);
  const columns = useMemo(() => offerColumns(kind, group), [kind, group]);
  const left = data === undefined ? 0 : data.total - data.offers.length - data.groups.length;
  if (hasNoProject && project === null) return <NoProjectPage title="Offers" />;
  return (
    <ResourceList
      title="Offers"
      noun="offer"
      address={address}
      query={query}
      rows={rows}
      textsOf={textsOf}
      columns={columns}
      rowId={({ id }) => id}
      rowName={({ name }) => name}
      notice={
        project === null ? null : (
          <p>
            In project <bdi>{project}</bdi>, available ones and cheap ones first.
            {left > 0 ? ` ${count(left)} more offers are not shown.` : ''}
          </p>
        )
      }
      filters={
        <>
          <Segments
            label="Which machines"
            value={kind}
            options={[
              ['gpu', 'GPU'],
              ['cpu', 'CPU'],
            ]}
            onChange={(next) => set({ kind: next === 'cpu' ? next : undefined })}
          />
          <Select<OfferGrouping>
            label="Group by"
            prefix="Group by"
            value={group}
            options={GROUPINGS}
            onChange={(next) => set({ group: next === 'gpu' ? undefined : next })}
          />
          <Select
            label="Kind of instances"
            value={spot}
            options={SPOT_KINDS}
            onChange={(next) => set({ spot: next === 'auto' ? undefined : next })}
          />
        </>
      }
      ownFilters={{ spot: spot === 'auto' ? undefined : spot }}
      empty={<NoOffers kind={kind} />}
    />
  );
}

const GROUPINGS = [
  { value: 'gpu', label: 'device' },
  { value: 'backend', label: 'device and backend' },
  { value: 'region', label: 'device, backend and region' },
  { value: 'single', label: 'nothing' },
] as const;

const SPOT_KINDS = [
  { value: 'auto', label: 'Spot and on-demand' },
  { value: 'on-demand', label: 'On-demand' },
  { value: 'spot', label: 'Spot' },
] as const;

const textsOf = ({ name, backend, region, resources }: OfferRow) => [
  name,
  backend,
  region,
  resources,
];

function NoOffers({ kind }: { readonly kind: 'gpu' | 'cpu' }) {
  return (
    <EmptyState
      icon={Tags}
      title={kind === 'gpu' ? 'This project has no GPUs' : 'This project has no machines'}
    >
      <p>
        Offers come from the backends of the project and from SSH fleets. Add one, or ask for all:
      </p>
      <CommandBlock text="dstack offer" />
    </EmptyState>
  );
}
