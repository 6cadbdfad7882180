import type { AccessRecord } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const record: AccessRecord = {
  time: Date.UTC(2026, 10, 24, 15, 0, 0, 250),
  ...{ method: 'GET', path: '/v1/models', status: 200, ms: 12.34 },
  ...{ user: 'ann', address: '10.0.0.7', request_id: 'r-1', job_id: null },
};
const failed = {
  ...record,
  status: 502,
  ms: 1200,
  method: 'POST',
  path: '/\u001b[31m',
  user: null,
};

/** Each opening of the stream sends the next events; after the last ones the service has ended. */
async function logs(args: readonly string[], ...openings: readonly (readonly string[])[]) {
  const route = 'GET /api/project/main/services/web/access';
  const rest = [...openings];
  const ended = { status: 404, json: { detail: 'Service web does not exist or has ended' } };
  const fake = await startFakeServer({
    [route]: () => {
      const events = rest.shift();
      return events === undefined ? ended : { events };
    },
  });
  const ran = await runCommand(['logs', '--access', 'web', ...args], { env: serverEnv(fake.url) });
  return { ...ran, fake };
}

const message = (event: string, data: unknown) =>
  `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

test('prints requests in columns, without control characters, and how many are missing', async () => {
  const events = [
    message('requests', [record]),
    message('skipped', 7),
    message('requests', [failed]),
  ];
  const { out, err, code } = await logs(['-f'], events);
  expect(code).toBe(0);
  const [first = '', second = ''] = out.split('\n');
  expect(first).toBe('2026-11-24T15:00:00.250Z  200    12.3 ms  GET    /v1/models  ann 10.0.0.7');
  expect(second).toContain('502    1200 ms  POST   /');
  expect(second).not.toContain('\u001b');
  expect(second).toContain('  - 10.0.0.7');
  expect(err).toContain('7 requests are missing here');
});

test('prints the last ones, or a document for each', async () => {
  const many = [1, 2, 3].map((n) => ({ ...record, path: `/${n}` }));
  const last = await logs(['-n', '2'], [message('requests', many)]);
  expect(last.out.match(/\/\d/g)).toEqual(['/2', '/3']);
  expect((await logs(['-n', '0'], [message('requests', many)])).out).toBe('');
  const { out } = await logs(['--json'], [message('requests', [record])]);
  expect(JSON.parse(out)).toEqual({ type: 'request', run: 'web', ...record });
});

test('shows where requests will appear if there are none, and refuses options of the output', async () => {
  expect((await logs([], [message('requests', [])])).err).toContain('dstack logs --access -f web');
  const { err, code } = await logs(['--grep', 'x'], []);
  expect([code, err.includes('Only --follow, --lines, --status')]).toEqual([2, true]);
});

test.each([
  [['--status', '5xx'], ['/c']],
  [
    ['--status', '404,200'],
    ['/a/x', '/a/y'],
  ],
  [
    ['--path', '/a/'],
    ['/a/x', '/a/y'],
  ],
  [
    ['--slow', '500ms'],
    ['/a/y', '/c'],
  ],
  [['--slow', '2', '--status', '5xx'], ['/c']],
  [['-n', '1', '--path', '/a/'], ['/a/y']],
])('%j selects %j', async (args, paths) => {
  const requests = [
    { ...record, path: '/a/x', status: 200, ms: 20 },
    { ...record, path: '/a/y', status: 404, ms: 500 },
    { ...record, path: '/c', status: 503, ms: 2000 },
  ];
  const { out } = await logs(args, [message('requests', requests)]);
  expect(out.match(/\/(a\/x|a\/y|c)(?= )/g)).toEqual(paths);
});

test('--replica selects those that its jobs have answered, also one that has just been started', async () => {
  const fake = await startFakeServer({
    'GET /api/project/main/services/web/access': {
      events: [
        message('requests', [
          { ...record, path: '/zero', job_id: 'a' },
          { ...record, path: '/one', job_id: 'b' },
          { ...record, path: '/none' },
        ]),
      ],
    },
    'POST /api/project/main/runs/get': {
      json: {
        jobs: [
          { job_spec: { replica_num: 0 }, job_submissions: [{ id: 'old' }, { id: 'a' }] },
          { job_spec: { replica_num: 1 }, job_submissions: [{ id: 'b' }] },
        ],
      },
    },
  });
  const env = serverEnv(fake.url);
  const { out } = await runCommand(['logs', '--access', 'web', '--replica', '1'], { env });
  expect([out.includes('/one'), out.includes('/zero'), out.includes('/none')]).toEqual([
    ...[true, false, false],
  ]);
});

test('--replica reads the jobs again for each new replica, and later for those it has not found', async () => {
  const request = (path: string, jobId: string) =>
    message('requests', [{ ...record, path, job_id: jobId }]);
  let jobs = ['a'];
  const fake = await startFakeServer({
    'GET /api/project/main/services/web/access': {
      events: [
        request('/first', 'a'),
        request('/second', 'b'),
        request('/unknown', 'c'),
        request('/unknown', 'c'),
      ],
    },
    'POST /api/project/main/runs/get': ({ body }) => {
      expect(body).toMatchObject({ run_name: 'web' });
      const found = jobs;
      jobs = ['a', 'b'];
      return {
        json: {
          jobs: [{ job_spec: { replica_num: 0 }, job_submissions: found.map((id) => ({ id })) }],
        },
      };
    },
  });
  const env = serverEnv(fake.url);
  const { out } = await runCommand(['logs', '--access', 'web', '--replica', '0'], { env });
  expect(out.match(/\/(first|second|unknown)/g)).toEqual(['/first', '/second']);
  expect(fake.calls.filter((call) => call.endsWith('/runs/get'))).toHaveLength(3);
});

test('--replica waits for a server that is restarted, instead of leaving out requests', async () => {
  let isAway = true;
  const fake = await startFakeServer({
    'GET /api/project/main/services/web/access': {
      events: [message('requests', [{ ...record, job_id: 'a' }])],
    },
    'POST /api/project/main/runs/get': () => {
      const answer = isAway
        ? { status: 500, json: { detail: 'the database is away' } }
        : { json: { jobs: [{ job_spec: { replica_num: 0 }, job_submissions: [{ id: 'a' }] }] } };
      isAway = false;
      return answer;
    },
  });
  const env = serverEnv(fake.url);
  const { out, err } = await runCommand(['logs', '--access', 'web', '--replica', '0'], { env });
  expect([out.includes('/v1/models'), err.includes('the database is away')]).toEqual([true, true]);
});

test('reports that no such requests are kept, and refuses what selects nothing', async () => {
  const { err, out } = await logs(['--status', '500'], [message('requests', [record])]);
  expect([out, err.includes('keeps no such requests of service web')]).toEqual(['', true]);
  for (const wrong of [
    ['--status', '5x'],
    ['--status', ','],
    ['--status', '404,'],
    ['--status', ''],
    ['--slow', 'long'],
    ['--slow', '-1s'],
  ]) {
    expect((await logs(wrong, [])).code).toBe(2);
  }
  const elsewhere = await runCommand(['logs', 'web', '--slow', '1s'], { env: {} });
  expect([elsewhere.code, elsewhere.err.includes('--access')]).toEqual([2, true]);
});

test('follows over a restart of the server, and prints each request once', async () => {
  const later = { ...record, path: '/later' };
  const { out, code, fake } = await logs(
    ['-f'],
    [message('requests', [record])],
    [message('requests', [record, later])],
    [message('requests', [later])],
  );
  expect(code).toBe(0);
  expect(out.match(/\/(v1\/models|later)/g)).toEqual(['/v1/models', '/later']);
  expect(fake.requests).toHaveLength(4);
});

test('a service that does not exist is an error', async () => {
  const { err, code } = await logs(['-f']);
  expect([code, err]).toEqual([
    3,
    expect.stringContaining('Service web does not exist, or has ended'),
  ]);
});
