import { Link } from '@tanstack/react-router';
import { FolderKanban } from 'lucide-react';
import { useUser } from '../../data/session/session-context.tsx';
import { buttonClass } from '../../ui/button/button.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';

/** A page that needs a project, for users who are in none. */
export function NoProjectPage({ title }: { readonly title: string }) {
  const { username, permissions } = useUser();
  return (
    <PageFrame title={title}>
      <EmptyState
        icon={FolderKanban}
        title="You are in no project"
        actions={
          permissions.can_create_projects ? (
            <Link to="/projects" hash="new" className={buttonClass({ variant: 'primary' })}>
              New project
            </Link>
          ) : null
        }
      >
        <p>
          Runs, fleets and offers belong to projects. An admin or a manager of a project can add you
          to it under Members; your user name is <bdi>{username}</bdi>.
        </p>
      </EmptyState>
    </PageFrame>
  );
}
