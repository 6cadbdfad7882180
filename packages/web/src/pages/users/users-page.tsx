import type { User } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { Lock, Plus, Users } from 'lucide-react';
import { useState } from 'react';
import { ResourceList, useListAddress } from '../../app/lists/resource-list.tsx';
import { useCreating } from '../../app/lists/use-creating.ts';
import { useClient, useUser } from '../../data/session/session-context.tsx';
import { userList } from '../../data/users/user-queries.ts';
import { DeleteButton } from '../../domain/deletion/delete-dialog.tsx';
import { NameLink } from '../../domain/links/name-link.tsx';
import { USER_DELETION } from '../../domain/users/user-deletion.tsx';
import { Button } from '../../ui/button/button.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { RevealedSecret } from '../../ui/form/revealed-secret.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import type { TableColumn } from '../../ui/table/column.ts';
import { RelativeTime } from '../../ui/time/time.tsx';
import { CreateUserDialog } from './create-user-dialog.tsx';

/** The users of the server, for global admins. */
export function UsersPage() {
  usePageTitle('Users');
  const me = useUser();
  if (me.global_role !== 'admin') {
    return (
      <EmptyState page icon={Lock} title="This page is for global admins">
        <p>A global admin of the server can give you that role.</p>
      </EmptyState>
    );
  }
  return <AllUsers />;
}

function AllUsers() {
  const me = useUser();
  const [creating, setCreating] = useCreating();
  const [created, setCreated] = useState<{ name: string; token: string } | null>(null);
  const address = useListAddress();
  const query = useQuery(userList(useClient()));
  return (
    <>
      <ResourceList
        title="Users"
        noun="user"
        address={address}
        query={query}
        rows={query.data}
        textsOf={textsOf}
        columns={COLUMNS}
        rowId={({ id }) => id}
        rowName={({ username }) => username}
        actions={
          <Button variant="primary" icon={<Plus size={15} />} onClick={() => setCreating(true)}>
            New user
          </Button>
        }
        selectionActions={(chosen, onDone) => (
          <DeleteButton
            kind={USER_DELETION}
            items={chosen.map(({ username }) => username)}
            disabledReason={
              chosen.some(({ id }) => id === me.id) ? 'You cannot delete yourself' : null
            }
            onDone={onDone}
            size="sm"
          />
        )}
        empty={<EmptyState icon={Users} title="No users" />}
      />
      {creating ? (
        <CreateUserDialog onClose={() => setCreating(false)} onCreated={setCreated} />
      ) : null}
      <RevealedSecret
        secret={created?.token ?? null}
        title={`The token of ${created?.name ?? ''}`}
        onClose={() => setCreated(null)}
      >
        <p>The user signs in with it, here and on the command line.</p>
      </RevealedSecret>
    </>
  );
}

const textsOf = (user: User) => [
  user.username,
  user.email,
  user.global_role,
  user.active ? 'active' : 'deactivated',
];

const COLUMNS: readonly TableColumn<User>[] = [
  {
    id: 'name',
    header: 'User',
    width: 180,
    grow: true,
    locked: true,
    card: 'title',
    cell: ({ username }) => (
      <NameLink to="/users/$user" params={{ user: username }}>
        {username}
      </NameLink>
    ),
  },
  {
    id: 'email',
    header: 'E-mail',
    width: 220,
    card: 'detail',
    cell: ({ email }) => email ?? '–',
  },
  {
    id: 'role',
    header: 'Global role',
    width: 120,
    card: 'detail',
    cell: ({ global_role }) => global_role,
  },
  {
    id: 'active',
    header: 'State',
    width: 120,
    card: 'status',
    cell: ({ active }) => (active ? 'active' : 'deactivated'),
  },
  {
    id: 'created',
    header: 'Created',
    width: 110,
    yields: 1,
    align: 'end',
    cell: ({ created_at }) => (created_at === null ? '' : <RelativeTime at={created_at} />),
  },
];
