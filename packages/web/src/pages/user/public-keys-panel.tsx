import type { PublicKeyInfo } from '@dstack/contract/wire';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { KeyRound, Plus } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useClient } from '../../data/session/session-context.tsx';
import { publicKeyList, userKeys } from '../../data/users/user-queries.ts';
import { Button } from '../../ui/button/button.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { CodeArea, Field, TextField } from '../../ui/field/field.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';
import { PartPanel, rowActions } from '../../ui/panel/part-panel.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { RelativeTime } from '../../ui/time/time.tsx';
import { toast } from '../../ui/toast/toaster.tsx';

/** The public SSH keys that open the user's runs. */
export function PublicKeysPanel() {
  const client = useClient();
  const cache = useQueryClient();
  const query = useQuery(publicKeyList(client));
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<PublicKeyInfo | null>(null);
  const columns = useMemo(
    (): readonly TableColumn<PublicKeyInfo>[] => [
      {
        id: 'name',
        header: 'Key',
        width: 150,
        grow: true,
        card: 'title',
        cell: ({ name }) => <bdi>{name}</bdi>,
      },
      { id: 'type', header: 'Type', width: 110, card: 'detail', cell: ({ type }) => type },
      {
        id: 'fingerprint',
        header: 'Fingerprint',
        width: 180,
        cell: ({ fingerprint }) => <code title={fingerprint}>{fingerprint}</code>,
      },
      {
        id: 'added',
        header: 'Added',
        width: 100,
        card: 'detail',
        cell: ({ added_at }) => <RelativeTime at={added_at} />,
      },
      rowActions([{ label: 'Delete', run: setRemoving }], (key: PublicKeyInfo) => key.name),
    ],
    [],
  );
  const remove = async () => {
    if (removing === null) return;
    await client.users.deletePublicKeys([removing.id]);
    await cache.invalidateQueries({ queryKey: userKeys.keys });
    toast.done(`Key ${removing.name} was deleted`);
  };
  return (
    <>
      <PartPanel
        title="SSH keys"
        query={query}
        refusal={null}
        rows={query.data}
        columns={columns}
        rowId={({ id }) => id}
        rowName={({ name }) => name}
        actions={
          <Button size="sm" icon={<Plus size={13} />} onClick={() => setAdding(true)}>
            Add
          </Button>
        }
        empty={
          <EmptyState icon={KeyRound} title="No SSH keys yet">
            <p>
              The command line has a key of its own. Add a key to open your runs with other SSH
              clients.
            </p>
          </EmptyState>
        }
      />
      {adding ? <AddKeyDialog onClose={() => setAdding(false)} /> : null}
      <ConfirmDialog
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`Delete key ${removing?.name}?`}
        action="Delete"
        onConfirm={remove}
      >
        <p>Runs that are submitted from now on cannot be opened with it.</p>
      </ConfirmDialog>
    </>
  );
}

function AddKeyDialog({ onClose }: { readonly onClose: () => void }) {
  const client = useClient();
  const cache = useQueryClient();
  const submission = useSubmit();
  const [key, setKey] = useState('');
  const [name, setName] = useState('');
  const add = async () => {
    const done = await submission.submit(async () => {
      const added = await client.users.addPublicKey(key.trim(), name.trim() || null);
      await cache.invalidateQueries({ queryKey: userKeys.keys });
      toast.done(`Key ${added.name} was added`);
    });
    if (done) onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title="Add an SSH key"
      action="Add"
      submission={submission}
      onSubmit={() => void add()}
    >
      <Field
        label="Public key"
        hint="The contents of a .pub file."
        error={submission.errorOf('key')}
      >
        {(control) => (
          <CodeArea
            {...control}
            rows={4}
            placeholder="ssh-ed25519 AAAA…"
            value={key}
            onChange={(event) => setKey(event.target.value)}
          />
        )}
      </Field>
      <TextField
        label="Name"
        optional
        value={name}
        onChange={setName}
        error={submission.errorOf('name')}
      />
    </FormDialog>
  );
}
