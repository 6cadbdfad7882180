import type { OrphanReport, ServerStatus } from '@dstack/contract/wire';
import { screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';

const STATUS: ServerStatus = {
  ...{ version: '0.3.1', server_version: '0.22.5', started_at: '2026-01-01T00:00:00Z' },
  ...{ database: 'sqlite', log_store: 'files', loops_are_running: true },
  ...{ hosts: 3, connected_hosts: 2, memory_bytes: 150_000_000 },
  queues: [{ kind: 'volume-observation', waiting: 1200, running: 2, delayed: 1 }],
};

const REPORT: OrphanReport = {
  orphans: [],
  sweeps: [
    {
      ...{ project_name: 'main', backend: 'aws', swept_at: null },
      ...{ next_at: '2026-01-01T00:00:00Z', error: 'credentials refused', only_reported: null },
    },
  ],
};

it('shows the state of the server, its work, and what is wrong with backends', async () => {
  await renderApp('/server', {
    server: { status: async () => STATUS, listOrphans: async () => REPORT },
  });
  await screen.findByText('2 of 3');
  screen.getByText('SQLite');
  const work = screen.getByRole('table', { name: 'Work' });
  within(work).getByText('volume observation');
  within(work).getByText('1,200');
  await screen.findByText('credentials refused');
  expect(screen.queryByText('Orphans')).toBeNull();
});

it('is for global admins', async () => {
  const user = {
    ...{ id: 'u', username: 'ann', email: null, active: true, global_role: 'user' as const },
    ...{ created_at: null, permissions: { can_create_projects: true }, ssh_public_key: null },
  };
  await renderApp('/server', {}, { kind: 'signed-in', user });
  await screen.findByText('This page is for global admins');
});
