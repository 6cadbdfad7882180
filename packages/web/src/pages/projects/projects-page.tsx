import type { Project } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { FolderKanban, Plus } from 'lucide-react';
import { ResourceList, useListAddress } from '../../app/lists/resource-list.tsx';
import { useCreating } from '../../app/lists/use-creating.ts';
import { projectList } from '../../data/projects/project-queries.ts';
import { useClient, useUser } from '../../data/session/session-context.tsx';
import { NameLink } from '../../domain/links/name-link.tsx';
import { Button } from '../../ui/button/button.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { RelativeTime } from '../../ui/time/time.tsx';
import { CreateProjectDialog } from './create-project-dialog.tsx';

/** The projects of the user. */
export function ProjectsPage() {
  const user = useUser();
  const [creating, setCreating] = useCreating();
  const address = useListAddress();
  const query = useQuery(projectList(useClient()));
  const create = (
    <Button
      variant="primary"
      icon={<Plus size={15} />}
      disabledReason={
        user.permissions.can_create_projects ? null : 'Only global admins create projects here'
      }
      onClick={() => setCreating(true)}
    >
      New project
    </Button>
  );
  return (
    <>
      <ResourceList
        title="Projects"
        noun="project"
        address={address}
        query={query}
        rows={query.data}
        textsOf={textsOf}
        columns={COLUMNS}
        rowId={({ project_id }) => project_id}
        rowName={({ project_name }) => project_name}
        actions={create}
        empty={
          <EmptyState icon={FolderKanban} title="You are in no project" actions={create}>
            <p>An admin or a manager of a project can add you to it.</p>
          </EmptyState>
        }
      />
      <CreateProjectDialog open={creating} onClose={() => setCreating(false)} />
    </>
  );
}

const textsOf = (project: Project) => [project.project_name, project.owner.username];

const COLUMNS: readonly TableColumn<Project>[] = [
  {
    id: 'name',
    header: 'Project',
    width: 180,
    grow: true,
    locked: true,
    card: 'title',
    cell: ({ project_name }) => (
      <NameLink to="/projects/$project" params={{ project: project_name }}>
        {project_name}
      </NameLink>
    ),
  },
  {
    id: 'visibility',
    header: 'Visibility',
    width: 100,
    card: 'status',
    cell: ({ is_public }) => (is_public ? 'public' : 'private'),
  },
  {
    id: 'owner',
    header: 'Owner',
    width: 120,
    card: 'detail',
    cell: ({ owner }) => <bdi>{owner.username}</bdi>,
  },
  {
    id: 'created',
    header: 'Created',
    width: 100,
    align: 'end',
    cell: ({ created_at }) => (created_at === null ? '' : <RelativeTime at={created_at} />),
  },
];
