import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';

const USERS = ['ada', 'grace'].map((username) => ({
  ...{ id: `${username}-id`, username, global_role: 'user', email: null, active: true },
  ...{ created_at: null, permissions: { can_create_projects: false } },
}));

it('has tabs whose links hold: the projects with the role, events by and about the user, and keys', async () => {
  const asked: object[] = [];
  const { user, path } = await renderApp('/users/grace/projects', {
    server: {
      listEvents: async ({ limit: _, ...filter }) => {
        asked.push(filter);
        return [];
      },
    },
    users: { list: async () => USERS as never },
    projects: {
      list: async (query: { username?: string }) =>
        (query.username === 'grace'
          ? [
              {
                ...{ project_id: 'p', project_name: 'team', owner: USERS[0] },
                members: [{ user: USERS[1], project_role: 'manager' }],
              },
            ]
          : []) as never,
    },
  });
  const row = await screen.findByRole('row', { name: /team/ });
  within(row).getByText('manager');
  expect(asked).toEqual([]);
  const tabs = within(screen.getByRole('navigation', { name: 'Parts of the user' }));
  await user.click(tabs.getByRole('link', { name: 'Events' }));
  await waitFor(() => expect(asked).toEqual([{ actors: ['grace-id'] }]));
  await user.click(screen.getByRole('radio', { name: 'About the user' }));
  await waitFor(() => expect(asked.at(-1)).toEqual({ target_users: ['grace-id'] }));
  expect(path()).toBe('/users/grace/events?events=about');
  const all = screen.getByRole('link', { name: 'All events' });
  expect(all.getAttribute('href')).toBe('/events?target_users=grace-id');
  await user.click(tabs.getByRole('link', { name: 'SSH keys' }));
  await screen.findByText('Only grace can see these keys');
  expect(screen.queryByRole('region', { name: /keys/i })).toBeNull();
});
