import { BadRequestError } from '@dstack/client';
import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';

const calls: unknown[] = [];
const member = (username: string, project_role: string) => ({
  user: { id: username === 'ada' ? 'u1' : username, username, email: null },
  project_role,
  permissions: { can_manage_ssh_fleets: false, can_manage_secrets: false },
});
const PROJECT = {
  project_id: 'p1',
  project_name: 'main',
  owner: { username: 'ada' },
  created_at: '2026-11-26T12:00:00Z',
  backends: [],
  members: [member('ada', 'admin'), member('grace', 'user')],
  is_public: false,
  templates_repo: null,
};
const answer = { request: '', status: 400, code: 'error', fields: [], body: null, requestId: null };

function world(path: string) {
  calls.length = 0;
  return renderApp(path, {
    projects: {
      list: async () => [PROJECT] as never,
      get: async () => PROJECT as never,
      addMembers: async (...args: unknown[]) => void calls.push(args) as never,
    },
    project: () => ({
      models: {
        usage: async () => ({
          usage: ['2026-11-26', '2026-11-27'].map((day) => ({
            ...{ day, model: 'qwen', user: 'grace', requests: 600, aborted: 1, estimated: 0 },
            ...{ prompt_tokens: 1000, completion_tokens: 250 },
          })),
        }),
      },
      serviceTokens: {
        list: async () => [],
        create: async (request: { name: string }) => {
          calls.push(request);
          if (request.name === 'taken') throw new BadRequestError('Token taken exists', answer);
          return { token: 'dstack_st_secret' };
        },
      },
    }),
  });
}

it('changes one role with one request', async () => {
  const { user } = await world('/projects/main/members');
  await user.click(await screen.findByRole('combobox', { name: 'Role of grace' }));
  await user.click(await screen.findByRole('option', { name: /Manager/ }));
  await waitFor(() =>
    expect(calls).toEqual([['main', [{ username: 'grace', project_role: 'manager' }]]]),
  );
});

it('keeps what was typed when the server refuses it, and shows a new token once', async () => {
  const { user } = await world('/projects/main/tokens');
  await user.click(await screen.findByRole('button', { name: 'Create' }));
  const dialog = await screen.findByRole('dialog', { name: 'Create a service token' });
  const name = within(dialog).getByLabelText('Name');
  await user.type(name, 'taken');
  await user.click(within(dialog).getByRole('button', { name: 'Create' }));
  await within(dialog).findByText('Token taken exists');
  expect((name as HTMLInputElement).value).toBe('taken');
  await user.clear(name);
  await user.type(name, 'ci{Enter}');
  const shown = await screen.findByRole('dialog', { name: 'The new service token' });
  within(shown).getByText('dstack_st_secret');
  expect(calls.at(-1)).toEqual({ name: 'ci', scope: 'user', expires_in: 7_776_000 });
  await user.click(within(shown).getByRole('button', { name: 'Done' }));
  await waitFor(() => expect(screen.queryByText('dstack_st_secret')).toBeNull());
});

it('creates a token for models with limits, which are checked before they are sent', async () => {
  const { user } = await world('/projects/main/tokens');
  await user.click(await screen.findByRole('button', { name: 'Create' }));
  const dialog = await screen.findByRole('dialog', { name: 'Create a service token' });
  const field = (label: string) => within(dialog).getByLabelText(label);
  await user.type(field('Name'), 'shop');
  expect(within(dialog).queryByLabelText('Models')).toBeNull();
  await user.click(within(dialog).getByRole('combobox', { name: 'Scope' }));
  await user.click(await screen.findByRole('option', { name: /^Models/ }));
  await user.type(field('Models'), 'llama, qwen');
  await user.type(field('Requests per minute'), 'many');
  await user.type(field('Tokens per day'), '200k');
  const before = calls.length;
  await user.click(within(dialog).getByRole('button', { name: 'Create' }));
  await within(dialog).findByText(/Enter a whole number above 0 such as 60/);
  expect(calls.length).toBe(before);
  await user.clear(field('Requests per minute'));
  await user.type(field('Requests per minute'), '60{Enter}');
  await screen.findByRole('dialog', { name: 'The new service token' });
  expect(calls.at(-1)).toEqual({
    ...{ name: 'shop', scope: 'models', expires_in: 7_776_000, models: ['llama', 'qwen'] },
    ...{ requests_per_minute: 60, tokens_per_day: 200_000, tokens_per_month: null },
  });
});

it('adds up the tokens of each user and model', async () => {
  await world('/projects/main/usage');
  const row = (await screen.findByText('qwen')).closest('tr') as HTMLElement;
  for (const text of ['grace', '1,200', '2,000', '500']) within(row).getByText(text);
});
