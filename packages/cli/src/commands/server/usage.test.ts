import type { ServerUsage } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const USAGE: ServerUsage = {
  ...{ measured_at: '2026-11-24T15:00:00Z', database_bytes: 2_000_000_000, free_bytes: 50_000_000 },
  ...{ shrinks: true, disk_free_bytes: 9_000_000_000, log_bytes: 7_000_000, upload_bytes: 0 },
  kinds: [
    {
      kind: 'runs',
      rows: 365_000,
      bytes: 1_900_000_000,
      is_exact: false,
      kept_seconds: 31_536_000,
    },
    { kind: 'users', rows: 3, bytes: 1000, is_exact: true, kept_seconds: null },
  ],
  ...{ deletes_from: null, due_runs: 0 },
};

async function usage(part: Partial<ServerUsage>, ...options: readonly string[]) {
  const json = { ...USAGE, ...part };
  const server = await startFakeServer({ 'GET /api/server/usage': { json } });
  const env = serverEnv(server.url);
  return await runCommand(['--color', 'never', 'server', 'usage', ...options], {
    ...{ env, terminal: 200 },
  });
}

it('lists what takes how much, the small kinds together', async () => {
  const { code, out } = await usage({});
  expect(code).toBe(0);
  expect(out.split('\n').map((line) => line.trim().replaceAll(/ {2,}/g, ' | '))).toEqual([
    'KIND | ROWS | SIZE | KEPT',
    'runs | ~365000 | ~1.9 GB | 365 days',
    'other | 1 kB',
    'output of jobs (files) | 7 MB',
    'uploads (files) | 0 B',
    '',
  ]);
  expect(JSON.parse((await usage({}, '--json')).out)).toEqual(USAGE);
});

it('announces what will be deleted when the pause after an upgrade ends', async () => {
  const { err, out } = await usage({ deletes_from: '2099-12-01T00:00:00.771492Z', due_runs: 1000 });
  expect(out + err).toContain('from 2099-12-01 00:00 UTC on');
  expect(out + err).toContain('1000 runs or more with their output will go then');
});
