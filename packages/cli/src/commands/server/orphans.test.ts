import type { Orphan, OrphanReport } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const orphan = (part: Partial<Orphan>): Orphan => ({
  ...{ id: '6f1a2b3c-0000-4000-8000-000000000000', kind: 'instance', project_name: 'main' },
  ...{ backend: 'aws', external_id: 'i-0a1', region: null },
  created_for: { project: 'main', fleet: 'pool', instance: 'pool-0' },
  ...{ first_seen_at: '2026-11-24T14:00:00+00:00', last_seen_at: '2026-11-24T15:00:00+00:00' },
  ...{ confirmed: true, terminating: false, reason: null },
  ...part,
});

async function orphans(report: OrphanReport, ...options: readonly string[]) {
  const server = await startFakeServer({ 'GET /api/server/orphans': { json: report } });
  const env = serverEnv(server.url);
  return await runCommand(['--color', 'never', 'server', 'orphans', ...options], {
    ...{ env, terminal: 200 },
  });
}

const sweep = {
  ...{ project_name: 'main', backend: 'aws', swept_at: null, error: null, only_reported: null },
  next_at: '2026-11-24T16:00:00+00:00',
};

it('lists orphans, the instances that they were created for, and why they still exist', async () => {
  const report = {
    orphans: [
      orphan({ reason: 'DSTACK_SERVER_SWEEP is report' }),
      orphan({ external_id: 'i-0a2', terminating: true }),
      orphan({
        ...{ kind: 'volume', external_id: 'vol-1', region: 'eu-west-1', confirmed: false },
        created_for: { project: null, fleet: null, instance: null },
      }),
    ],
    sweeps: [sweep],
  };
  const { code, out } = await orphans(report);
  expect(code).toBe(0);
  expect(out.split('\n').map((line) => line.trim().replaceAll(/ {2,}/g, ' | '))).toEqual([
    'ID | KIND | BACKEND | CREATED FOR | FOUND | STATUS',
    'i-0a1 | instance | aws | main/pool-0 | 2 hours ago | orphaned: DSTACK_SERVER_SWEEP is report',
    'i-0a2 | instance | aws | main/pool-0 | 2 hours ago | terminating',
    'vol-1 | volume | aws (eu-west-1) | - | 2 hours ago | suspected',
    '',
  ]);
  const json = await orphans(report, '--json');
  expect(JSON.parse(json.out)).toEqual(report);
});

it('warns of backends that could not be swept, since an empty list would hide their orphans', async () => {
  const failed = { ...sweep, error: '500 Internal Server Error' };
  const { out, err } = await orphans({ orphans: [], sweeps: [failed] });
  expect(out + err).toContain('Backend aws of project main was not swept: 500 Internal Server');
  expect(out + err).toContain('No orphans are known.');
});

it('a word that is not a command of the server is refused', async () => {
  const { code, err } = await runCommand(['server', 'orphan'], {});
  expect(code).toBe(2);
  expect(err).toContain('dstack server orphans');
});
