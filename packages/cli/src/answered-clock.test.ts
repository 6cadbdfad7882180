import type { Run } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { clockLead } from './answered-clock.ts';
import { startFakeServer } from './testing/fake-server.ts';
import { recordedAnswer } from './testing/recordings.ts';
import { runCommand, serverEnv } from './testing/run-command.ts';

test.each([
  ['one clock, read late in its second', 1_000, 1_990, 1_995, 0],
  ['one clock, whose second ends while the request is on its way', 2_000, 1_990, 2_010, 0],
  ['a slow answer proves nothing', 5_000, 1_000, 5_500, 0],
  ['a server that is behind', 1_000, 62_500, 62_600, -60_500],
  ['a server that is ahead', 62_000, 1_900, 2_000, 60_000],
])(
  'the header of a full second proves no difference that is not there: %s',
  (_what, date, sentAt, receivedAt, lead) => {
    expect(clockLead(date, { sentAt, receivedAt })).toBe(lead);
  },
);

const SERVER = Date.parse('2026-11-24T16:00:00Z');

test.each([
  ['behind', SERVER - 3 * 86_400_000],
  ['ahead', SERVER + 400 * 86_400_000],
])(
  'a computer whose clock is %s asks for the last hour of the server, and shows ages by its time',
  async (_what, now) => {
    const [run] = await recordedAnswer<Run[]>('ps-verbose', '/api/runs/list');
    const fake = await startFakeServer({
      'POST /api/server/get_info': { json: { server_version: '0.22.5' } },
      'GET /api/cost': {
        json: { since: '2026-11-24T15:00:00Z', until: null, by: 'run', total: 0, rows: [] },
      },
      'POST /api/runs/list': { json: [{ ...run, submitted_at: '2026-11-24T15:50:00Z' }] },
    });
    fake.now = SERVER;
    const options = { env: serverEnv(fake.url), now };
    await runCommand(['cost', '--since', '1h'], options);
    const { query } = fake.requests.find(({ path }) => path === '/api/cost') ?? {};
    // The header has full seconds: the time is known to one of them.
    const since = Date.parse(query?.get('since') ?? '') - (SERVER - 3_600_000);
    expect([query?.get('since'), Math.abs(since) <= 1000]).toEqual([expect.any(String), true]);
    const { out } = await runCommand(['ps', '--all'], options);
    expect(out).toContain('10 mins ago');
  },
);

test('a time that does not count back from now needs no further request', async () => {
  const fake = await startFakeServer({
    'GET /api/cost': { json: { since: '', until: null, by: 'run', total: 0, rows: [] } },
  });
  const options = { env: serverEnv(fake.url) };
  await runCommand(['cost', '--since', '2026-11-01T00:00:00Z'], options);
  expect(fake.calls).toEqual(['GET /api/cost']);
});
