import type { User } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { Lock, Plus, Users } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useFilterCommand } from '../../app/commands/use-filter-command.ts';
import { useClient, useUser } from '../../data/session/session-context.tsx';
import { userList } from '../../data/users/user-queries.ts';
import { NameLink } from '../../domain/links/name-link.tsx';
import { Button } from '../../ui/button/button.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { RevealedSecret } from '../../ui/form/revealed-secret.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import type { TableColumn } from '../../ui/table/column.ts';
import { ListPage } from '../../ui/table/list-page.tsx';
import { filterByText } from '../../ui/table/text-filter.ts';
import { RelativeTime } from '../../ui/time/time.tsx';
import { CreateUserDialog } from './create-user-dialog.tsx';
import { DeleteUsersDialog } from './delete-users-dialog.tsx';

const route = getRouteApi('/shell/users');

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
  const client = useClient();
  const [creating, setCreating] = useState(false);
  const [created, setCreated] = useState<{ name: string; token: string } | null>(null);
  const { q = '' } = route.useSearch();
  const navigate = useNavigate({ from: '/users' });
  const { data, error, refetch } = useQuery(userList(client));
  const rows = useMemo(() => data && filterByText(data, q, wordsOf), [data, q]);
  const set = (text: string) =>
    navigate({ search: (before) => ({ ...before, q: text || undefined }), replace: true });
  return (
    <>
      <ListPage
        title="Users"
        noun="user"
        rows={rows}
        columns={COLUMNS}
        rowId={({ id }) => id}
        rowName={({ username }) => username}
        error={data === undefined ? error : null}
        onRetry={() => void refetch()}
        text={q}
        onText={set}
        searchInput={useFilterCommand('Users')}
        isFiltered={q !== ''}
        onClear={() => set('')}
        actions={
          <Button variant="primary" icon={<Plus size={15} />} onClick={() => setCreating(true)}>
            New user
          </Button>
        }
        selectionActions={(chosen, onDone) => <UsersSelection chosen={chosen} onDone={onDone} />}
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

const wordsOf = (user: User) => [
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
    align: 'end',
    cell: ({ created_at }) => (created_at === null ? '' : <RelativeTime at={created_at} />),
  },
];

function UsersSelection(props: { readonly chosen: readonly User[]; readonly onDone: () => void }) {
  const [open, setOpen] = useState(false);
  const me = useUser();
  const isOwn = props.chosen.some(({ id }) => id === me.id);
  return (
    <>
      <Button
        size="sm"
        disabledReason={isOwn ? 'You cannot delete yourself' : null}
        onClick={() => setOpen(true)}
      >
        Delete
      </Button>
      <DeleteUsersDialog
        names={props.chosen.map(({ username }) => username)}
        open={open}
        onClose={() => setOpen(false)}
        onDone={props.onDone}
      />
    </>
  );
}
