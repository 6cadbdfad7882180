import { screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';

const USERS = ['ada', 'grace'].map((username) => ({
  ...{ id: `${username}-id`, username, global_role: 'user', email: null, active: true },
  ...{ created_at: null, permissions: { can_create_projects: false } },
}));

it('shows the projects of the user with the role, and leads to events about and by the user', async () => {
  await renderApp('/users/grace/projects', {
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
  const links = ['What the user did', 'What happened to the user'].map((name) =>
    screen.getByRole('link', { name }).getAttribute('href'),
  );
  expect(links).toEqual(['/events?actor=grace-id', '/events?target_users=grace-id']);
  expect(screen.queryByRole('region', { name: /keys/i })).toBeNull();
});
