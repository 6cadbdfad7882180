import type { Volume } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { HardDrive, Plus } from 'lucide-react';
import { ResourceList, useListAddress } from '../../app/lists/resource-list.tsx';
import { useCreating } from '../../app/lists/use-creating.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { volumeList } from '../../data/volumes/volume-queries.ts';
import { DeleteButton } from '../../domain/deletion/delete-dialog.tsx';
import { useRowActions } from '../../domain/deletion/use-row-actions.tsx';
import { VOLUME_DELETION } from '../../domain/volumes/volume-deletion.tsx';
import { volumeLook, volumePlaceText } from '../../domain/volumes/volume-look.ts';
import { Button } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { CreateVolumeDialog } from './create-volume-dialog.tsx';
import { VOLUME_COLUMNS } from './volume-columns.tsx';

/** The volumes of all projects of the user. */
export function VolumesPage() {
  const [creating, setCreating] = useCreating();
  const address = useListAddress();
  const { project, all } = address;
  const query = useQuery(volumeList(useClient(), { project, active: !all }));
  const { rowActions, dialog } = useRowActions(VOLUME_ROWS);
  const create = (
    <Button variant="primary" icon={<Plus size={15} />} onClick={() => setCreating(true)}>
      New volume
    </Button>
  );
  return (
    <>
      <ResourceList
        title="Volumes"
        noun="volume"
        address={address}
        query={query}
        rows={query.data}
        textsOf={textsOf}
        isActive={isActive}
        columns={VOLUME_COLUMNS}
        rowId={({ id }) => id}
        rowName={({ name }) => name}
        actions={create}
        rowActions={rowActions}
        groups={GROUPS}
        selectionActions={(chosen, onDone) => (
          <DeleteButton kind={VOLUME_DELETION} items={chosen} onDone={onDone} size="sm" />
        )}
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
      {dialog}
      <CreateVolumeDialog project={project} open={creating} onClose={() => setCreating(false)} />
    </>
  );
}

const VOLUME_ROWS = { kind: VOLUME_DELETION, itemOf: (volume: Volume) => volume };

const GROUPS = {
  project: { label: 'Project', of: (volume: Volume) => volume.project_name },
  status: { label: 'Status', of: (volume: Volume) => volumeLook(volume).text },
  place: { label: 'Place', of: (volume: Volume) => volumePlaceText(volume.configuration) },
  user: { label: 'User', of: (volume: Volume) => volume.user },
};

const isActive = ({ deleted }: Volume) => !deleted;

const textsOf = (volume: Volume) => [
  volume.name,
  volume.project_name,
  volume.user,
  volumePlaceText(volume.configuration),
  volumeLook(volume).text,
];
