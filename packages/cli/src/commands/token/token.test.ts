import { expect, test } from 'vitest';
import { type Route, startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const PATH = 'POST /api/project/main/service_tokens';

const TOKEN = {
  ...{ id: 't', name: 'ci', scope: 'user', created_by: 'ann', last_used_at: null },
  ...{ created_at: '2026-11-01T00:00:00Z', models: null, services: null, limits: null, used: null },
};

async function dstack(argv: readonly string[], routes: Record<string, Route>) {
  const fake = await startFakeServer(routes);
  return runCommand(argv, { env: serverEnv(fake.url), now: Date.parse('2026-11-24T16:00:00Z') });
}

test('the list marks tokens that have expired', async () => {
  const json = [
    { ...TOKEN, name: 'old', expires_at: '2026-11-24T15:59:00Z' },
    { ...TOKEN, name: 'new', expires_at: '2026-11-24T16:01:00Z' },
    { ...TOKEN, name: 'endless', expires_at: null },
  ];
  const { out } = await dstack(['token', 'list'], { [`${PATH}/list`]: { json } });
  expect(out).toMatch(/old .*expired 2026-11-24 15:59 UTC/);
  expect(out).toMatch(/new .* 2026-11-24 16:01 UTC/);
  expect(out.match(/expired/g)).toHaveLength(1);
});

test('a member reads that only admins create tokens, who they are, and what to use instead', async () => {
  const msg =
    'Access denied: this needs the role admin in project main, and yours is user; an admin of the project can change that: ada, bob';
  const { code, err } = await dstack(['token', 'create', 'ci'], {
    [`${PATH}/create`]: { status: 403, json: { detail: [{ msg, code: 'forbidden' }] } },
  });
  const text = err.replaceAll(/\s+/g, ' ');
  expect(code).toBe(4);
  expect(text).toContain('error: Only admins of project main may create tokens');
  expect(text).toContain('why: this needs the role admin in project main, and yours is user');
  expect(text).toContain('ask an admin (ada, bob) to run `dstack token create ci`');
});

test('another refusal of a new token stays as it is', async () => {
  const msg = "Access denied: service tokens cannot be used for this; use a user's own token";
  const { err } = await dstack(['token', 'create', 'ci'], {
    [`${PATH}/create`]: { status: 403, json: { detail: [{ msg, code: 'forbidden' }] } },
  });
  expect(err).toContain('error: Access denied\n');
});
