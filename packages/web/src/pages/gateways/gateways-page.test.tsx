import { screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';

/** The newest first; lists of projects have no backends. */
const PROJECTS = ['sandbox', 'research'].map((project_name) => ({
  ...{ project_id: project_name, project_name, backends: [] },
}));
const BACKENDS = ['local', 'aws', 'kubernetes'].map((name) => ({ name }));

it('a gateway can be created in each backend of the project, or on a host', async () => {
  const asked: string[] = [];
  const { user } = await renderApp('/gateways', {
    projects: {
      list: async () => PROJECTS as never,
      get: async (name: string) => {
        asked.push(name);
        return { project_name: name, backends: BACKENDS } as never;
      },
    },
    project: () => ({ gateways: { list: async () => [] } }),
  });
  await user.click((await screen.findAllByRole('button', { name: 'New gateway' }))[0] as never);
  const dialog = await screen.findByRole('dialog', { name: 'New gateway' });
  within(dialog).getByText('research');
  await user.click(within(dialog).getByRole('combobox', { name: 'Backend' }));
  const options = (await screen.findAllByRole('option')).map(({ textContent }) => textContent);
  expect(options.map((text) => (text?.startsWith('Hosts') ? 'Hosts' : text))).toEqual([
    'Hosts',
    'aws',
    'kubernetes',
  ]);
  expect(new Set(asked)).toEqual(new Set(['research']));
});
