import { screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';

const USERS = ['ada', 'grace'].map((username) => ({
  ...{ id: `${username}-id`, username, global_role: 'user', email: null, active: true },
  ...{ created_at: null, permissions: { can_create_projects: false } },
}));

it('shows the projects of the user with the role, and events about and by the user', async () => {
  const asked: unknown[] = [];
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
    server: {
      listEvents: async (query: object) => {
        asked.push(query);
        return [];
      },
    },
  });
  const row = await screen.findByRole('row', { name: /team/ });
  within(row).getByText('manager');
  const made = await screen.findByRole('region', { name: 'What the user did' });
  expect(within(made).getByRole('link', { name: 'All events' }).getAttribute('href')).toBe(
    '/events?actor=grace-id',
  );
  expect(asked).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ target_users: ['grace-id'] }),
      expect.objectContaining({ actors: ['grace-id'] }),
    ]),
  );
  expect(screen.queryByRole('region', { name: /keys/i })).toBeNull();
});
