import { screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { offerColumns } from './offer-columns.tsx';

it('columns that a grouping leaves empty are left out, prices never', () => {
  const ids = (...given: Parameters<typeof offerColumns>) =>
    offerColumns(...given).map(({ id }) => id);
  const grouped = ['name', 'count', 'backend', 'spot', 'availability', 'price'];
  expect(ids('gpu', 'gpu')).toEqual(grouped);
  expect(ids('gpu', 'region')).toEqual(expect.arrayContaining([...grouped, 'region']));
  expect(ids('cpu', 'gpu')).toEqual(expect.arrayContaining([...grouped, 'resources']));
  expect(ids('gpu', 'single')).toEqual(expect.arrayContaining([...grouped, 'resources', 'region']));
});

it('shows the offers of the main project, not of the newest one, until another is chosen', async () => {
  const names = ['sandbox', 'main'].map((project_name) => ({
    project_id: project_name,
    project_name,
  }));
  await renderApp('/offers', {
    projects: { list: async () => names as never },
    project: () => ({ gpus: { list: async () => ({ gpus: [] }) } }),
  });
  await screen.findByText('main', { selector: 'p bdi' });
});
