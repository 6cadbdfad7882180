import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { X } from 'lucide-react';
import { projectList } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { userList } from '../../data/users/user-queries.ts';
import { EventTable } from '../../domain/events/event-table.tsx';
import {
  EVENT_FILTERS,
  EVENT_TYPES,
  type EventsSearch,
  eventFilterOf,
  eventSelection,
} from '../../domain/events/events-search.ts';
import { Button } from '../../ui/button/button.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import { Select } from '../../ui/select/select.tsx';
import { Toolbar } from '../../ui/table/toolbar.tsx';
import styles from './events-page.module.css';

const route = getRouteApi('/shell/events');

/** Everything that users and the server have changed, newest first. */
export function EventsPage() {
  usePageTitle('Events');
  const client = useClient();
  const search = route.useSearch();
  const navigate = useNavigate({ from: '/events' });
  const { data: projects } = useQuery(projectList(client));
  const { data: users } = useQuery(userList(client));
  const members = new Map(users?.map(({ id, username }) => [id, username]));
  const projectId =
    projects?.find(({ project_name }) => project_name === search.project)?.project_id ?? null;
  const filter = eventFilterOf(search);
  const set = (change: Partial<EventsSearch>) =>
    navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  // Without the project's id, events of all projects would appear for a moment.
  const isReady = search.project === undefined || projects !== undefined;
  return (
    <PageFrame title="Events" fixed>
      <div className={styles.area}>
        <Toolbar>
          <Select
            label="About"
            value={search.type ?? 'any'}
            options={[
              { value: 'any', label: 'About anything' },
              ...EVENT_TYPES.map((type) => ({ value: type, label: `About ${type}s` })),
            ]}
            onChange={(type) => set({ type: type === 'any' ? undefined : type })}
          />
          <Select
            label="By"
            value={search.actor ?? ''}
            options={[
              { value: '', label: 'By anyone' },
              ...[...members].map(([value, label]) => ({ value, label: `By ${label}` })),
              ...(search.actor === undefined || members.has(search.actor)
                ? []
                : [{ value: search.actor, label: 'By one user' }]),
            ]}
            onChange={(actor) => set({ actor: actor || undefined })}
          />
          {filter === null ? null : (
            <Button onClick={() => set({ [filter]: undefined })}>
              Only of one {EVENT_FILTERS[filter]}
              <X size={14} aria-hidden="true" />
              <span className="visually-hidden">Show all</span>
            </Button>
          )}
        </Toolbar>
        {isReady ? <EventTable filter={eventSelection(search, projectId)} /> : null}
      </div>
    </PageFrame>
  );
}
