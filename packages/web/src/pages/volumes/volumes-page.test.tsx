import { screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';

const BACKENDS = {
  research: ['local', 'aws'],
  sandbox: ['kubernetes'],
} as Readonly<Record<string, readonly string[]>>;

it('a volume can be created in the backends of its project only, or on a host', async () => {
  const { user } = await renderApp('/volumes', {
    projects: {
      list: async () =>
        Object.keys(BACKENDS).map((project_name) => ({
          ...{ project_id: project_name, project_name, backends: [] },
        })) as never,
      get: async (name: string) =>
        ({
          ...{
            project_name: name,
            backends: BACKENDS[name]?.map((backend) => ({ name: backend })),
          },
        }) as never,
    },
    server: { listVolumes: async () => [] },
  });
  await user.click((await screen.findAllByRole('button', { name: 'New volume' }))[0] as never);
  const dialog = await screen.findByRole('dialog', { name: 'New volume' });
  const open = (label: string) => user.click(within(dialog).getByRole('combobox', { name: label }));
  const choose = async (label: string, option: string) => {
    await open(label);
    await user.click(await screen.findByRole('option', { name: new RegExp(`^${option}`) }));
  };
  await choose('Project', 'research');
  await choose('Backend', 'aws');
  within(dialog).getByRole('textbox', { name: /^Region/ });
  await choose('Project', 'sandbox');
  within(dialog).getByRole('textbox', { name: 'SSH fleet, or local' });
  await open('Backend');
  const options = (await screen.findAllByRole('option')).map(({ textContent }) => textContent);
  expect(options.map((text) => (text?.startsWith('Hosts') ? 'Hosts' : text))).toEqual([
    'Hosts',
    'kubernetes',
  ]);
});
