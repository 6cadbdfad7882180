import { ApiError } from '@dstack/client';
import type { Quota } from '@dstack/contract/wire';
import { screen, waitFor, within } from '@testing-library/react';
import { expect, it, onTestFinished, vi } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';

const NONE = { gpu: null, cpu: null, memory: null, instances: null, cost: null };
const LAB: Quota = {
  ...{ id: 'q1', project_name: 'lab', fleet_name: null, user_name: null, weight: 2 },
  guaranteed: { ...NONE, gpu: 4 },
  limit: { ...NONE, gpu: 8, runs: null },
  use: [{ resource: 'gpu', user_name: null, used: 6, guaranteed: 4, limit: 8 }],
};
const EACH: Quota = {
  ...{ id: 'q2', project_name: 'lab', fleet_name: null, user_name: '*', weight: null },
  ...{ guaranteed: null, limit: { ...NONE, gpu: 2, runs: null } },
  use: [{ resource: 'gpu', user_name: 'ann', used: 1, guaranteed: null, limit: 2 }],
};

const refusal = (text: string, ...fields: string[][]) =>
  new ApiError(text, {
    ...{ request: 'POST /x', status: 422, code: null, body: null, requestId: null },
    fields,
  });

async function world(
  quotas: readonly Quota[] = [LAB, EACH],
  { role = null, failure = null }: { role?: string | null; failure?: Error | null } = {},
) {
  const calls: unknown[] = [];
  const user = { id: 'u1', global_role: role === null ? 'admin' : 'user' };
  const members = role === null ? [] : [{ user, project_role: role }];
  const app = await renderApp(
    '/quotas',
    {
      projects: { list: async () => [{ project_name: 'lab', members }] as never },
      quotas: {
        list: async () => quotas as Quota[],
        apply: async (...args: unknown[]) => {
          calls.push(['apply', ...args]);
          if (failure !== null) throw failure;
          return [];
        },
        delete: async (...args: unknown[]) => void calls.push(['delete', ...args]),
      },
    },
    {
      kind: 'signed-in',
      user: {
        ...{ ...user, username: 'ada', email: null, active: true, created_at: null },
        ...{ permissions: { can_create_projects: true }, ssh_public_key: null },
      } as never,
    },
  );
  return { user: app.user, calls };
}

const rowOf = async (text: string) => (await screen.findByText(text)).closest('tr') as HTMLElement;

it('shows what is used, borrowed, guaranteed and the limit, as a bar with a text', async () => {
  await world();
  const lab = await rowOf('lab');
  within(lab).getByRole('img', { name: '6 of 8 GPUs used, 4 guaranteed, 2 borrowed' });
  const cells = within(lab)
    .getAllByRole('cell')
    .map(({ textContent }) => textContent);
  expect(cells).toEqual(expect.arrayContaining(['6', '4', '2', '8']));
  const each = await rowOf('lab, each user');
  expect(each.textContent).toContain('ann');
});

it('sets a quota for each user of a project', async () => {
  const { user, calls } = await world([]);
  const [button] = await screen.findAllByRole('button', { name: 'New quota' });
  await user.click(button as HTMLElement);
  const dialog = await screen.findByRole('dialog', { name: 'New quota' });
  await user.type(within(dialog).getByLabelText(/^User/), '*');
  expect(within(dialog).queryByText('Guaranteed')).toBeNull();
  await user.type(within(dialog).getByLabelText('Limit: GPUs'), 'H100: 4');
  await user.type(within(dialog).getByLabelText('Limit: Memory'), '512GB');
  await user.click(within(dialog).getByRole('button', { name: 'Save' }));
  await waitFor(() => expect(calls).toHaveLength(1));
  expect(calls[0]).toEqual([
    'apply',
    [
      {
        ...{
          project_name: 'lab',
          fleet_name: null,
          user_name: '*',
          guaranteed: null,
          weight: null,
        },
        limit: { gpu: { H100: 4 }, memory: '512GB' },
      },
    ],
  ]);
});

it('edits a quota from its row, by the keyboard alone', async () => {
  const { user, calls } = await world();
  const text = (await screen.findByText('lab')).closest('[data-row-focus]') as HTMLElement;
  text.focus();
  await user.keyboard('e');
  const dialog = await screen.findByRole('dialog', { name: 'Quota of lab' });
  const gpus = within(dialog).getByLabelText('Guaranteed: GPUs');
  expect((gpus as HTMLInputElement).value).toBe('4');
  await user.clear(gpus);
  await user.type(gpus, '6{Enter}');
  await waitFor(() => expect(calls).toHaveLength(1));
  expect(calls[0]).toMatchObject([
    'apply',
    [{ guaranteed: { gpu: 6 }, limit: { gpu: 8 }, weight: 2 }],
  ]);
});

it.each([
  [['quotas', '0', 'limit', 'gpu'], 'Limit: GPUs'],
  [['quotas', '0', 'guaranteed', 'gpu'], 'Guaranteed: GPUs'],
  [['quotas', '0', 'guaranteed'], 'Guaranteed: GPUs'],
  [['quotas', '0', 'weight'], /^Weight/],
])('an error of %j stands at its field', async (field, label) => {
  const failure = refusal('must be between 0 and 1000000, got -1', field);
  const { user } = await world([LAB], { failure });
  await user.click(await screen.findByRole('button', { name: 'Edit lab: GPUs' }));
  const dialog = await screen.findByRole('dialog', { name: 'Quota of lab' });
  await user.click(within(dialog).getByRole('button', { name: 'Save' }));
  await within(dialog).findByText('must be between 0 and 1000000, got -1');
  const input = within(dialog).getByLabelText(label);
  expect(input.getAttribute('aria-invalid')).toBe('true');
  expect(dialog.querySelectorAll('[aria-invalid]')).toHaveLength(1);
});

it('deletes a quota after it has named what follows', async () => {
  const { user, calls } = await world([LAB]);
  await user.click(await screen.findByRole('button', { name: 'Actions of lab: GPUs' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Delete' }));
  const dialog = await screen.findByRole('dialog', { name: 'Delete quota of lab?' });
  within(dialog).getByText(/What the quota limited may start at once/);
  await user.click(within(dialog).getByRole('button', { name: 'Delete' }));
  const place = { project_name: 'lab', fleet_name: null, user_name: null };
  await waitFor(() => expect(calls).toEqual([['delete', [place]]]));
});

it('a manager sets quotas of users, not those of the project', async () => {
  const { user } = await world([LAB, EACH], { role: 'manager' });
  await rowOf('lab');
  const lab = screen.getByRole('button', { name: 'Edit lab: GPUs' });
  expect(lab.getAttribute('aria-disabled')).toBe('true');
  expect(lab.title).toContain('Global admins');
  await user.click(screen.getByRole('button', { name: 'Edit lab, each user: GPUs' }));
  const dialog = await screen.findByRole('dialog', { name: 'Quota of lab, each user' });
  within(dialog).getByLabelText('Limit: GPUs');
  expect(within(dialog).queryByText('Guaranteed')).toBeNull();
});

it('a member reads all of it and sets nothing', async () => {
  await world([LAB, EACH], { role: 'user' });
  await rowOf('lab');
  const create = screen.getByRole('button', { name: 'New quota' });
  expect(create.getAttribute('aria-disabled')).toBe('true');
  for (const button of screen.getAllByRole('button', { name: /^Edit/ })) {
    expect(button.getAttribute('aria-disabled')).toBe('true');
  }
});

it('explains what a quota is for where there is none', async () => {
  await world([]);
  await screen.findByText('Nothing is limited');
  screen.getByText('dstack quota set --limit gpu=16');
});

it('shows the shares of projects and users, and whose run is next', async () => {
  const share = { weight: 2, usage: 12.345, rate: 4, ratio: 8.17 };
  const shares = [
    { ...share, project_name: 'lab', user_name: null, next: 'train' },
    { ...share, project_name: 'lab', user_name: 'ann', next: null },
    { ...share, project_name: null, user_name: null, next: null },
  ];
  const { user } = await renderApp('/quotas', {
    projects: { list: async () => [{ project_name: 'lab', members: [] }] as never },
    quotas: { list: async () => [] },
    project: () => ({ shares: async () => shares }),
  });
  await user.click(await screen.findByRole('radio', { name: 'Shares' }));
  const next = await screen.findByRole('link', { name: 'train' });
  expect(next.getAttribute('href')).toBe('/projects/lab/runs/train');
  expect(screen.getAllByText('12.35')).toHaveLength(3);
  screen.getByText('ann');
  screen.getByText('Another project');
});

it('names the figures of a share on a narrow screen, where no header does', async () => {
  const share = {
    weight: 2,
    usage: 12,
    rate: 4,
    ratio: 8.17,
    project_name: 'lab',
    user_name: null,
  };
  const wide = matchMedia;
  vi.spyOn(globalThis, 'matchMedia').mockImplementation((query) => ({
    ...wide(query),
    matches: query.includes('max-width'),
  }));
  onTestFinished(() => void vi.restoreAllMocks());
  await renderApp('/quotas?show=shares', {
    projects: { list: async () => [{ project_name: 'lab', members: [] }] as never },
    project: () => ({ shares: async () => [{ ...share, next: 'train' }] }),
  });
  const next = await screen.findByRole('link', { name: 'train' });
  expect(next.closest('li')?.textContent).toBe('labratio 8.17next: train');
});

it('explains shares where capacity is not shared by weight', async () => {
  await renderApp('/quotas?show=shares', {
    projects: { list: async () => [{ project_name: 'lab', members: [] }] as never },
    project: () => ({ shares: async () => [] }),
  });
  await screen.findByText('Capacity is not shared by weight');
});
