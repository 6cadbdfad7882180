import type { OrphanReport, ServerStatus, ServerUsage } from '@dstack/contract/wire';
import { screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';

const STATUS: ServerStatus = {
  ...{ version: '0.3.1', server_version: '0.22.5', started_at: '2026-01-01T00:00:00Z' },
  ...{ database: 'sqlite', log_store: 'files', loops_are_running: true },
  ...{ hosts: 3, connected_hosts: 2, memory_bytes: 150_000_000 },
  ...{ open_files: 120, open_files_limit: 65_536 },
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

const USAGE: ServerUsage = {
  ...{ measured_at: '2026-01-01T00:00:00Z', database_bytes: 3_000_000, free_bytes: 0 },
  ...{ shrinks: true, disk_free_bytes: null, log_bytes: 5_000_000, upload_bytes: null },
  kinds: [
    { kind: 'runs', rows: 365_000, bytes: 2_000_000, is_exact: false, kept_seconds: 31_536_000 },
    { kind: 'leases', rows: 0, bytes: 0, is_exact: true, kept_seconds: null },
  ],
  ...{ deletes_from: '2026-01-08T00:00:00Z', due_runs: 12 },
};

it('shows what takes how much, and what will be deleted', async () => {
  await renderApp('/server', {
    server: {
      status: async () => STATUS,
      listOrphans: async () => REPORT,
      usage: async () => USAGE,
    },
  });
  const table = await screen.findByRole('table', { name: 'Stored data' });
  within(table).getByText('365,000');
  within(table).getByText('365 days');
  within(table).getByText('output of jobs');
  expect(within(table).queryByText('leases')).toBeNull();
  screen.getByText(/12 runs are past their time/);
});

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

it.each([
  [799, false],
  [800, true],
])('shows %i of 1,000 open files, with the setting when few are left', async (open, isHigh) => {
  await renderApp('/server', {
    server: {
      status: async () => ({ ...STATUS, open_files: open, open_files_limit: 1000 }),
      listOrphans: async () => REPORT,
    },
  });
  await screen.findByText(new RegExp(`${open} of at most 1,000`));
  expect(screen.queryByText(/Raise LimitNOFILE/) !== null).toBe(isHigh);
});
