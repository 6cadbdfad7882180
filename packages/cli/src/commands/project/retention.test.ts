import { expect, test } from 'vitest';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const DAY = 86_400;
const BASE = '/api/project/main/retention';

async function serving() {
  const stored = { runs_seconds: null as number | null, logs_seconds: null as number | null };
  const answer = () => ({
    json: {
      ...stored,
      effective_runs_seconds: stored.runs_seconds ?? 365 * DAY,
      effective_logs_seconds: stored.logs_seconds,
    },
  });
  return startFakeServer({
    [`GET ${BASE}`]: answer,
    [`POST ${BASE}/set`]: ({ body }) => {
      Object.assign(stored, body);
      return answer();
    },
  });
}

test('shows how long ended runs and their output are kept, and who has set it', async () => {
  const fake = await serving();
  const env = serverEnv(fake.url);
  const { out } = await runCommand(['project', 'retention'], { env });
  expect(out).toMatch(/ended runs +365d +the server\n their output +for ever +the server/);
});

test('sets one time, keeps the other, and takes it back', async () => {
  const fake = await serving();
  const env = serverEnv(fake.url);
  const { out } = await runCommand(['project', 'retention', '--logs', '14d'], { env });
  expect(out).toMatch(/their output +2w +the project/);
  await runCommand(['project', 'retention', '--runs', '90d', '--json'], { env });
  const sent = { runs_seconds: 90 * DAY, logs_seconds: 14 * DAY };
  expect(fake.requests.at(-1)?.body).toEqual(sent);
  await runCommand(['project', 'retention', '--logs', 'default'], { env });
  expect(fake.requests.at(-1)?.body).toEqual({ ...sent, logs_seconds: null });
});

test.each(['soon', '0d', '-5'])('%s is no time to keep runs for', async (text) => {
  const fake = await serving();
  const argv = ['project', 'retention', `--runs=${text}`];
  const { code, err } = await runCommand(argv, { env: serverEnv(fake.url) });
  expect([code, fake.calls]).toEqual([2, []]);
  expect(err).toContain('--runs');
});
