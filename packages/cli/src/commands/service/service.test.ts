import type { ServiceTraffic } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const NOW = Date.parse('2026-11-24T15:30:00Z');

const TRAFFIC: ServiceTraffic = {
  ...{ run_id: 'id', run_name: 'llama', window_seconds: 55.3, requests: 1204, errors: 3 },
  ...{ rps: 21.8, p50_ms: 8.25, p95_ms: 1234.5, p99_ms: 15_000, in_flight: 4, held: 0 },
  ...{ partial: false, answered: { '2xx': 9000, '5xx': 3 }, replicas_total: 2, gateway: null },
  ...{ servers: 1, missing_servers: 0, missing_gateway_replicas: [], model: null },
  replicas: [
    {
      ...{ replica_num: 0, job_id: 'a', group: '0', state: 'ready', reason: null, until: null },
      ...{ in_flight: 4, requests: 1200, errors: 0, weight: 0.9967, p50_ms: 8.25 },
      ...{ p95_ms: 1234.5, p99_ms: 15_000 },
    },
    {
      ...{ replica_num: 1, job_id: 'b', group: '0', state: 'avoided', in_flight: 0 },
      ...{ requests: 4, errors: 3, weight: 0.0033, p50_ms: 2, p95_ms: 2, p99_ms: 2 },
      reason: 'it has answered 5 requests in a row with errors, which other replicas do not',
      until: '2026-11-24T15:31:15Z',
    },
  ],
};

async function service(traffic: ServiceTraffic, argv: string[] = [], terminal?: number) {
  const fake = await startFakeServer({
    'GET /api/project/main/services/llama/traffic': { json: traffic },
  });
  const options = { env: serverEnv(fake.url), now: NOW, terminal };
  return runCommand(['service', 'llama', ...argv], options);
}

test('the requests of a service and its replicas are two tables', async () => {
  const { out, err, code } = await service(TRAFFIC);
  expect(out).toBe(
    [
      ' Service llama, last 55 s, answered by the server',
      '',
      ' REQUESTS  ERRORS    RATE  P50    P95   P99  IN FLIGHT  WAITING',
      ' 1204      3 (0.2%)  22/s  8.3ms  1.2s  15s  4          0',
      '',
      ' REPLICA  REQUESTS  WEIGHT  ERRORS   P50    P95   P99  IN FLIGHT  STATE               WHY',
      ' 0        1200      100%    0        8.3ms  1.2s  15s  4          ready',
      ' 1        4         0.3%    3 (75%)  2ms    2ms   2ms  0          avoided for 1m 15s  it has answered 5 requests in a row with errors, which other replicas do not',
      '',
    ].join('\n'),
  );
  expect([err, code]).toEqual(['', 0]);
});

test('a terminal shows what is wrong in colour, and a narrow one the most important columns', async () => {
  const { out } = await service(TRAFFIC, [], 60);
  expect(out).toContain('\u001b[38;5;167mavoided for 1m 15s\u001b[0m');
  expect(out).toContain('IN FLIGHT');
  expect(out).not.toContain('WAITING');
});

test('what is missing in the figures is reported', async () => {
  const lacking = { ...TRAFFIC, partial: true, servers: 3, missing_servers: 1 };
  expect((await service(lacking)).out).toContain(
    'The figures may be too low: 1 of 3 servers did not answer.',
  );
  const lost = { ...TRAFFIC, partial: true, gateway: 'edge', missing_gateway_replicas: [1] };
  const { out } = await service(lost);
  expect(out).toContain('answered by gateway edge');
  expect(out).toContain('no server has those of replica 1 of gateway edge');
});

test('figures that are not known are no zeros', async () => {
  const unknown = { ...TRAFFIC, requests: 7, errors: null, p50_ms: null };
  const replica = { requests: null, errors: null, weight: null, p50_ms: null };
  const replicas = TRAFFIC.replicas.map((one) => ({ ...one, ...replica }));
  const { out } = await service({ ...unknown, replicas });
  expect(out).toMatch(/ 7 +- +22\/s +- /);
  expect(out).toMatch(/\n 0 +- +- +- +- /);
  expect((await service({ ...TRAFFIC, replicas_total: 0, replicas: [] })).out).toContain(
    'It has no replica.',
  );
});

test('of a model there are tokens per second and times to the first one', async () => {
  const model = {
    ...{ answers: 7, prompt_tokens_per_second: 120.4, completion_tokens_per_second: 9.53 },
    ...{ first_token_p50_ms: 180, first_token_p95_ms: 950, first_token_p99_ms: null },
  };
  expect((await service({ ...TRAFFIC, model })).out).toContain(
    [
      ' MODEL ANSWERS  PROMPT TOKENS  TOKENS  FIRST P50  FIRST P95  FIRST P99',
      ' 7              120/s          9.5/s   180ms      950ms      -',
    ].join('\n'),
  );
});

test('as JSON it is the answer of the server', async () => {
  const { out } = await service(TRAFFIC, ['--json']);
  expect(JSON.parse(out)).toEqual(TRAFFIC);
});

test('--watch draws it again until Ctrl-C', async () => {
  const fake = await startFakeServer({
    'GET /api/project/main/services/llama/traffic': { json: TRAFFIC },
  });
  const { code, out } = await runCommand(['service', 'llama', '-w'], {
    ...{ env: serverEnv(fake.url), terminal: 100, now: NOW },
    onOutput: (text, pressCtrlC) => {
      if (text.includes('REPLICA')) pressCtrlC();
    },
  });
  expect(code).toBe(0);
  expect(out).toContain('1204');
});

test('a service that does not exist is named', async () => {
  const fake = await startFakeServer({
    'GET /api/project/main/services/nothing/traffic': {
      status: 400,
      json: { detail: [{ code: 'resource_not_exists', msg: 'Service nothing not found' }] },
    },
  });
  const { code, err } = await runCommand(['service', 'nothing'], { env: serverEnv(fake.url) });
  expect(code).toBe(3);
  expect(err).toContain('Service nothing does not exist, or has ended');
});
