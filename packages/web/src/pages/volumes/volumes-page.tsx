import type { Volume } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { HardDrive, Plus } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useFilterCommand } from '../../app/commands/use-filter-command.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { volumeList } from '../../data/volumes/volume-queries.ts';
import { DeleteVolumesDialog } from '../../domain/volumes/delete-volumes-dialog.tsx';
import { volumeLook, volumePlaceText } from '../../domain/volumes/volume-look.ts';
import { Button } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import { ListPage } from '../../ui/table/list-page.tsx';
import { filterByText } from '../../ui/table/text-filter.ts';
import { CreateVolumeDialog } from './create-volume-dialog.tsx';
import { VOLUME_COLUMNS } from './volume-columns.tsx';

const route = getRouteApi('/shell/volumes');

/** The volumes of all projects of the user. */
export function VolumesPage() {
  usePageTitle('Volumes');
  const client = useClient();
  const [creating, setCreating] = useState(false);
  const { project = null, q = '', show } = route.useSearch();
  const navigate = useNavigate({ from: '/volumes' });
  const { data, error, refetch } = useQuery(
    volumeList(client, { project, active: show !== 'all' }),
  );
  const rows = useMemo(() => {
    const known = data?.filter(({ deleted }) => show === 'all' || !deleted);
    return known && filterByText(known, q, wordsOf);
  }, [data, q, show]);
  const set = (change: { q?: string | undefined; show?: 'all' | undefined }) =>
    navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const create = (
    <Button variant="primary" icon={<Plus size={15} />} onClick={() => setCreating(true)}>
      New volume
    </Button>
  );
  return (
    <>
      <ListPage
        title="Volumes"
        noun="volume"
        rows={rows}
        columns={VOLUME_COLUMNS}
        rowId={({ id }) => id}
        rowName={({ name }) => name}
        error={data === undefined ? error : null}
        onRetry={() => void refetch()}
        text={q}
        onText={(text) => set({ q: text || undefined })}
        searchInput={useFilterCommand('Volumes')}
        filters={
          <Segments
            label="Which volumes"
            value={show ?? 'active'}
            options={[
              ['active', 'Active'],
              ['all', 'All'],
            ]}
            onChange={(value) => set({ show: value === 'all' ? 'all' : undefined })}
          />
        }
        isFiltered={q !== ''}
        onClear={() => set({ q: undefined })}
        actions={create}
        selectionActions={(chosen, onDone) => <VolumesSelection chosen={chosen} onDone={onDone} />}
        empty={
          <EmptyState icon={HardDrive} title="No volumes yet" actions={create}>
            <p>A volume keeps data between runs. Describe it in a file and apply it:</p>
            <CommandBlock
              label="Copy the configuration"
              text={
                '# volume.dstack.yml\ntype: volume\nname: data\nbackend: aws\nregion: eu-west-1\nsize: 100GB'
              }
            />
            <CommandBlock text="dstack apply -f volume.dstack.yml" />
          </EmptyState>
        }
      />
      <CreateVolumeDialog project={project} open={creating} onClose={() => setCreating(false)} />
    </>
  );
}

const wordsOf = (volume: Volume) => [
  volume.name,
  volume.project_name,
  volume.user,
  volumePlaceText(volume.configuration),
  volumeLook(volume).text,
];

function VolumesSelection(props: {
  readonly chosen: readonly Volume[];
  readonly onDone: () => void;
}) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="sm" onClick={() => setOpen(true)}>
        Delete
      </Button>
      <DeleteVolumesDialog
        volumes={props.chosen}
        open={open}
        onClose={() => setOpen(false)}
        onDone={props.onDone}
      />
    </>
  );
}
