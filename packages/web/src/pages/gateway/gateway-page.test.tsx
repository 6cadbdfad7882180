import type { Gateway } from '@dstack/contract/wire';
import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';

const GATEWAY = {
  ...{ id: 'g', name: 'edge', project_name: 'main', created_at: '2026-11-23T15:00:00Z' },
  ...{ status: 'running', status_message: null, hostname: null, default: true },
  ...{ wildcard_domain: '*.apps.test', replicas: [], certificates: [] },
  configuration: { type: 'gateway', name: 'edge', backend: 'remote', region: 'pool' },
} as unknown as Gateway;

function world() {
  const sent: unknown[] = [];
  let shown = GATEWAY;
  const app = renderApp('/projects/main/gateways/edge', {
    server: { listEvents: async () => [] },
    project: () => ({
      gateways: {
        get: async () => shown,
        apply: async (plan: { spec: { configuration: Gateway['configuration'] } }) => {
          sent.push(plan);
          shown = { ...GATEWAY, configuration: plan.spec.configuration };
          return shown;
        },
        delete: async (names: readonly string[], options: { force: boolean }) => {
          sent.push([names, options]);
          if (!options.force) throw new Error('Gateway edge is used by a service (web)');
        },
      },
      explain: async () => {
        throw new Error('not asked here');
      },
    }),
  });
  return { app, sent };
}

it('refuses new services from a click on, and shows that', async () => {
  const { app, sent } = world();
  const { user } = await app;
  await user.click(await screen.findByRole('button', { name: 'Refuse new services' }));
  await screen.findByRole('button', { name: 'Accept new services' });
  screen.getByText('refused');
  const configuration = { ...GATEWAY.configuration, forbid_new_services: true };
  expect(sent).toEqual([
    { spec: { configuration, configuration_path: null }, current_resource: GATEWAY },
  ]);
});

it('deletes a gateway with services only if that is chosen too', async () => {
  const { app, sent } = world();
  const { user } = await app;
  await user.click(await screen.findByRole('button', { name: 'Delete' }));
  const dialog = await screen.findByRole('dialog', { name: 'Delete gateway edge?' });
  const confirm = within(dialog).getByRole('button', { name: 'Delete' });
  await user.click(confirm);
  await within(dialog).findByText(/Gateway edge is used by a service \(web\)/);
  await user.click(within(dialog).getByRole('checkbox', { name: 'Also if services use it' }));
  await user.click(confirm);
  await waitFor(() =>
    expect(sent).toEqual([
      [['edge'], { force: false }],
      [['edge'], { force: true }],
    ]),
  );
});
