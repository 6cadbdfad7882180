import type { Volume } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { Trash2 } from 'lucide-react';
import { useClient } from '../../data/session/session-context.tsx';
import { volumeQuery } from '../../data/volumes/volume-queries.ts';
import { DeleteButton } from '../../domain/deletion/delete-dialog.tsx';
import { EventsPanel } from '../../domain/events/events-panel.tsx';
import { ExplainPanel } from '../../domain/explain/explain-panel.tsx';
import { money } from '../../domain/format/quantities.ts';
import { NameLink } from '../../domain/links/name-link.tsx';
import { VOLUME_DELETION } from '../../domain/volumes/volume-deletion.tsx';
import { volumeLook, volumePlaceText, volumeSize } from '../../domain/volumes/volume-look.ts';
import { buttonClass } from '../../ui/button/button.tsx';
import { InspectPanel } from '../../ui/code/inspect-panel.tsx';
import { TwoColumns } from '../../ui/panel/columns.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { Properties } from '../../ui/panel/properties.tsx';
import { ResourcePage } from '../../ui/panel/resource-page.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';
import styles from './volume.module.css';

const route = getRouteApi('/shell/projects/$project/volumes/$volume');

/** A volume: where it is, and what uses it. */
export function VolumePage() {
  const params = route.useParams();
  const client = useClient();
  const navigate = useNavigate();
  return (
    <ResourcePage
      noun="volume"
      name={params.volume}
      query={useQuery(volumeQuery(client, params.project, params.volume))}
      isDeleted={({ deleted }) => deleted}
      statusText={(volume) => volumeLook(volume).text}
      back={
        <Link to="/volumes" className={buttonClass({})}>
          All volumes
        </Link>
      }
    >
      {(volume, notice) => (
        <PageFrame
          title={<bdi>{volume.name}</bdi>}
          beside={<StatusBadge look={volumeLook(volume)} filled />}
          subtitle={
            <>
              Volume of project <bdi>{volume.project_name}</bdi> by <bdi>{volume.user}</bdi>,
              created <RelativeTime at={volume.created_at} />
            </>
          }
          actions={
            <DeleteButton
              kind={VOLUME_DELETION}
              items={[volume]}
              icon={<Trash2 size={14} />}
              disabledReason={refusal(volume)}
              onDone={() => void navigate({ to: '/volumes' })}
            />
          }
        >
          {notice}
          <TwoColumns
            main={
              <>
                <UsePanel volume={volume} />
                {volume.deleted ? null : (
                  <ExplainPanel project={volume.project_name} kind="volumes" name={volume.name} />
                )}
                <EventsPanel filter="target_volumes" id={volume.id} />
              </>
            }
            side={
              <>
                <Details volume={volume} />
                <InspectPanel noun="volume" value={volume} folded />
              </>
            }
          />
        </PageFrame>
      )}
    </ResourcePage>
  );
}

function refusal({ deleted, attachments }: Volume): string | null {
  if (deleted) return 'It was deleted';
  return attachments?.length ? 'Stop the runs that use it first' : null;
}

function UsePanel({ volume }: { readonly volume: Volume }) {
  const { attachments, project_name } = volume;
  return (
    <Panel title="In use by" count={attachments?.length}>
      {attachments?.length ? (
        <ul className={styles.uses}>
          {attachments.map(({ instance }) => (
            <li key={instance.name}>
              {instance.instance_id === null || instance.fleet_name === null ? (
                instance.name
              ) : (
                <NameLink
                  to="/projects/$project/fleets/$fleet"
                  params={{ project: project_name, fleet: instance.fleet_name }}
                >
                  {instance.name}
                </NameLink>
              )}
            </li>
          ))}
        </ul>
      ) : (
        <p>
          No instance has it attached. Runs name it under <code>volumes</code> in their
          configuration.
        </p>
      )}
    </Panel>
  );
}

function Details({ volume }: { readonly volume: Volume }) {
  const { provisioning_data: data } = volume;
  return (
    <Panel title="Details">
      <Properties
        items={[
          { label: 'Place', value: volumePlaceText(volume.configuration) },
          { label: 'Zone', value: data?.availability_zone },
          { label: 'Size', value: volumeSize(volume) },
          { label: 'Cost', value: data?.price ? money(volume.cost) : null },
          { label: 'Price', value: data?.price ? `${money(data.price)} a month` : null },
          { label: 'Registered', value: volume.external ? 'yes' : null },
          { label: 'Id at the provider', value: volume.volume_id, wide: true },
          { label: 'Message', value: volume.status_message, wide: true },
          {
            label: 'Deleted',
            value: volume.deleted_at && <RelativeTime at={volume.deleted_at} />,
          },
          { label: 'Id', value: <code>{volume.id}</code>, wide: true },
        ]}
      />
    </Panel>
  );
}
