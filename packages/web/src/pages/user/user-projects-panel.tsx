import type { Project } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { FolderKanban } from 'lucide-react';
import { useMemo } from 'react';
import { useClient } from '../../data/session/session-context.tsx';
import { userProjectList } from '../../data/users/user-queries.ts';
import { NameLink } from '../../domain/links/name-link.tsx';
import { nameColumn } from '../../domain/lists/common-columns.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { PartPanel } from '../../ui/panel/part-panel.tsx';
import type { TableColumn } from '../../ui/table/column.ts';

/** The projects of a user, with the role in each. */
export function UserProjectsPanel({ username }: { readonly username: string }) {
  const query = useQuery(userProjectList(useClient(), username));
  const columns = useMemo(
    (): readonly TableColumn<Project>[] => [
      nameColumn('Project', 160, ({ project_name }) => (
        <NameLink to="/projects/$project" params={{ project: project_name }}>
          {project_name}
        </NameLink>
      )),
      {
        id: 'role',
        header: 'Role',
        width: 110,
        card: 'status',
        cell: ({ members }) =>
          members.find(({ user }) => user.username === username)?.project_role ?? '–',
      },
      {
        id: 'owner',
        header: 'Owner',
        width: 120,
        card: 'detail',
        cell: ({ owner }) => <bdi>{owner.username}</bdi>,
      },
    ],
    [username],
  );
  return (
    <PartPanel
      title="Projects"
      query={query}
      refusal={null}
      rows={query.data}
      columns={columns}
      rowId={({ project_id }) => project_id}
      rowName={({ project_name }) => project_name}
      empty={
        <EmptyState icon={FolderKanban} title={`${username} is in no project`}>
          <p>An admin of a project adds members on its page Members.</p>
        </EmptyState>
      }
    />
  );
}
