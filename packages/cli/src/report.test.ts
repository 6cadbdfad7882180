import { ConnectionError } from '@dstack/client';
import { expect, test } from 'vitest';
import { describeFailure } from './report.ts';
import { type Route, startFakeServer } from './testing/fake-server.ts';
import { runCommand, serverEnv } from './testing/run-command.ts';

const BASE = '/api/project/main';

async function failing(argv: readonly string[], routes: Readonly<Record<string, Route>>) {
  const fake = await startFakeServer(routes);
  const { code, err } = await runCommand(argv, { env: serverEnv(fake.url) });
  return { code, err: err.replaceAll(fake.url, 'URL') };
}

test('an empty list of runs of an unknown project is an error', async () => {
  const { code, err } = await failing(['ps'], { 'POST /api/runs/list': { json: [] } });
  expect(code).not.toBe(0);
  expect(err).toContain('error: The server does not have project main\n');
  expect(err).toContain('next: correct --project or DSTACK_PROJECT');
});

test('another program at the URL is named as that, without its page', async () => {
  const page = { text: '<html><h1>Welcome</h1></html>', type: 'text/html' };
  const { code, err } = await failing(['volume'], { [`POST ${BASE}/volumes/list`]: page });
  expect(code).not.toBe(0);
  expect(err).toBe(
    [
      'error: URL is not a dstack server',
      `  why:  POST ${BASE}/volumes/list was answered by another program (status 200)`,
      '  next: correct the URL: DSTACK_SERVER_URL, or dstack project list and dstack project add',
      '',
    ].join('\n'),
  );
});

test('a missing right is shown with who can grant it', async () => {
  const msg = 'Access denied: you are not a member of project main; its admins can add you';
  const { err } = await failing(['volume'], {
    [`POST ${BASE}/volumes/list`]: { status: 403, json: { detail: { msg, code: null } } },
  });
  expect(err).toBe(
    [
      'error: Access denied',
      '  why:  you are not a member of project main',
      '  next: its admins can add you',
      '',
    ].join('\n'),
  );
});

test.each([
  ['resource_not_exists', 'Volume data not found', 'dstack volume list'],
  ['error', 'Failed to delete fleet f. Fleet is in use by runs a, b.', 'dstack stop a b'],
  ['error', 'Failed to delete fleet f. Fleet is in use by run a.', 'dstack stop a'],
])('a refusal (%s, %s) names the next command, not the request', async (code, msg, next) => {
  const refused = { status: 400, json: { detail: [{ msg, code }] } };
  const { err } = await failing(['volume'], { [`POST ${BASE}/volumes/list`]: refused });
  expect(err).toBe(`error: ${msg}\n  next: ${next}\n`);
});

test.each(['DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'])(
  'a certificate that is not trusted (%s) is no server that is not running',
  async (code) => {
    const cause = Object.assign(new Error('refused'), { code });
    const error = new ConnectionError('https://localhost', 'GET /', cause);
    const { why, next } = await describeFailure(error);
    expect(why).toContain('certificate');
    expect(next).toContain('NODE_EXTRA_CA_CERTS');
  },
);

test('long texts are wrapped at words on a terminal, commands are not', async () => {
  const msg = `Failed to delete fleet f. Fleet is in use by runs ${'run-name, '.repeat(9)}last.`;
  const refused = { status: 400, json: { detail: [{ msg, code: 'error' }] } };
  const fake = await startFakeServer({ [`POST ${BASE}/volumes/list`]: refused });
  const env = { ...serverEnv(fake.url), NO_COLOR: '1' };
  const { err } = await runCommand(['volume'], { env, terminal: 60 });
  const [first = '', second = '', ...more] = err.trimEnd().split('\n');
  expect([first, second].every((line) => line.length <= 60)).toBe(true);
  expect(second).toMatch(/^ {8}\S/);
  expect(more.at(-1)).toMatch(/^ {2}next: dstack stop (run-name )+last$/);
});
