import { expect, test } from 'vitest';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const DAY = 86_400;
const NAMES = ['runs_seconds', 'logs_seconds', 'events_seconds', 'metrics_seconds'] as const;
const BASE = '/api/project/main/retention';

async function serving() {
  const stored: Readonly<Record<(typeof NAMES)[number], number | null>> = {
    ...{ runs_seconds: null, logs_seconds: null, events_seconds: null, metrics_seconds: null },
  };
  const answer = () => ({
    json: {
      ...stored,
      effective_runs_seconds: stored.runs_seconds ?? 365 * DAY,
      effective_logs_seconds: stored.logs_seconds,
      effective_events_seconds: stored.events_seconds ?? 30 * DAY,
      effective_metrics_seconds: stored.metrics_seconds ?? 90 * DAY,
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
  const none = { events_seconds: null, metrics_seconds: null };
  const sent = { runs_seconds: 90 * DAY, logs_seconds: 14 * DAY, ...none };
  expect(fake.requests.at(-1)?.body).toEqual(sent);
  await runCommand(['project', 'retention', '--logs', 'default'], { env });
  expect(fake.requests.at(-1)?.body).toEqual({ ...sent, logs_seconds: null });
});

test('sets the times of events and metrics', async () => {
  const fake = await serving();
  const env = serverEnv(fake.url);
  const argv = ['project', 'retention', '--events', '7d', '--metrics', '10d'];
  const { out } = await runCommand(argv, { env });
  expect(fake.requests.at(-1)?.body).toEqual({
    ...{ runs_seconds: null, logs_seconds: null },
    ...{ events_seconds: 7 * DAY, metrics_seconds: 10 * DAY },
  });
  expect(out).toMatch(/events +1w +the project\n metrics +10d +the project/);
});

test.each(['soon', '0d', '-5'])('%s is no time to keep runs for', async (text) => {
  const fake = await serving();
  const argv = ['project', 'retention', `--runs=${text}`];
  const { code, err } = await runCommand(argv, { env: serverEnv(fake.url) });
  expect([code, fake.calls]).toEqual([2, []]);
  expect(err).toContain('--runs');
});
