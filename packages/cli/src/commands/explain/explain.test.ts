import type { Considered, Explanation } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { startFakeServer, wireError } from '../../testing/fake-server.ts';
import { parseCommand } from '../../testing/parse-command.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';
import { declareExplain, type ExplainOptions } from './explain.ts';

const BASE = '/api/project/main';
const NOW = Date.parse('2026-11-24T12:10:00Z');

const NOTHING = { offer: null, price: null, asked: null, has: null, count: null, holder: null };
const row = (part: Partial<Considered>): Considered => ({
  ...{ kind: 'fleet', fleet: 'lab', instance: null, backend: null, region: null, rule: null },
  ...{ verdict: 'full', text: '' },
  ...NOTHING,
  ...part,
});

const WAITING: Explanation = {
  subject: {
    ...{ kind: 'run', name: 'train', project_name: 'main', status: 'submitted' },
    id: 'a0000000-0000-4000-8000-000000000000',
  },
  state: 'waiting',
  summary: 'Run train waits for a place: fleet lab is full (lab-0 is busy with eval).',
  waiting_for: 'busy',
  since: '2026-11-24T12:00:00Z',
  until: '2026-11-24T13:00:00Z',
  attempt: null,
  position: 3,
  expected_start: '2026-11-24T12:30:00Z',
  is_about: true,
  ahead: [
    { run: 'first', project: null, priority: 7, since: null, keeps: null },
    { run: 'a run of another project', project: null, priority: null, since: null, keeps: 'lab' },
  ],
  reasons: [],
  parts: [],
  considered: [
    row({ rule: 'fixed_size', text: 'it has only the hosts that its configuration names' }),
    row({ kind: 'instance', instance: 'lab-0', rule: 'busy', text: 'is busy with eval' }),
    row({ fleet: 'cloud', verdict: 'never', rule: 'no_offers', text: 'no offers match' }),
    row({
      ...{ kind: 'offers', fleet: 'cloud', backend: 'aws', verdict: 'never', rule: 'max_price' },
      text: '2 offers over `max_price` ($1.00)',
    }),
  ],
  fixes: [
    { text: 'Wait until eval ends, or stop it', command: 'dstack stop eval', value: null },
    {
      text: 'Let it wait',
      command: 'dstack apply -f t.dstack.yml --retry',
      value: 'retry:\n  duration: 1d',
    },
  ],
  events: ['2026-11-24T12:00:00Z', '2026-11-24T12:00:02.500Z'].map((recorded_at, n) => ({
    ...{ id: `a0000000-0000-4000-8000-00000000000${n}`, recorded_at, message: `event ${n}` },
    ...{ actor_user_id: null, actor_user: null, is_actor_user_deleted: null, targets: [] },
    ...{ action: 'legacy', data: null, outcome: 'done', actor_token: null, actor_address: null },
  })),
};

const serving = (json: unknown, path = 'runs/train') =>
  startFakeServer({ [`GET ${BASE}/explain/${path}`]: { json } });

test.each<[string[], Partial<ExplainOptions>]>([
  [['explain', 'train'], { kind: 'runs', name: 'train' }],
  [['explain', 'run', 'train'], { kind: 'runs', name: 'train' }],
  [['explain', 'fleet'], { kind: 'runs', name: 'fleet' }],
  [['explain', 'fleet', 'lab'], { kind: 'fleets', name: 'lab' }],
  [['explain', 'jobs', 'train-0-0'], { kind: 'jobs', name: 'train-0-0' }],
  [['explain', 'instance', 'lab-0', '--json'], { kind: 'instances', name: 'lab-0', json: true }],
  [['explain', '-v', 'train'], { verbose: true }],
])('%j means %j', async (argv, expected) => {
  let options: ExplainOptions | null = null;
  const keep = async (given: ExplainOptions): Promise<void> => {
    options = given;
  };
  await parseCommand((program, cli) => declareExplain(program, cli, keep), argv);
  const none = { kind: 'runs', name: 'train', json: false, verbose: false };
  expect(options).toEqual({ ...none, ...expected });
});

test.each([[['explain']], [['explain', 'secret', 'x']], [['explain', 'fleet', 'a', 'b']]])(
  '%j is refused',
  async (argv) => {
    await expect(parseCommand(declareExplain, argv)).rejects.toThrow();
  },
);

test('without a terminal the explanation of a waiting run keeps its lines whole', async () => {
  const fake = await serving(WAITING);
  const { out, err, code } = await runCommand(['explain', 'train'], {
    env: serverEnv(fake.url),
    now: NOW,
  });
  expect(out).toBe(
    [
      ' Run       train (submitted)',
      ' State     waiting',
      ' Why       Run train waits for a place: fleet lab is full (lab-0 is busy with eval).',
      ' Since     2026-11-24 12:00:00 UTC (10m ago)',
      ' Until     2026-11-24 13:00:00 UTC (in 50m)',
      ' Position  3, behind first (priority 7), a run of another project (has the next place in lab)',
      ' Starts    about 2026-11-24 12:30:00 UTC (in 20m)',
      '',
      ' CONSIDERED  VERDICT  RULE        WHY',
      ' lab         full     fixed_size  it has only the hosts that its configuration names',
      '   lab-0     full     busy        is busy with eval',
      ' cloud       never    no_offers   no offers match',
      '   aws       never    max_price   2 offers over `max_price` ($1.00)',
      '',
      ' WHAT TO DO',
      '  - Wait until eval ends, or stop it',
      '      $ dstack stop eval',
      '  - Let it wait',
      '      retry:',
      '        duration: 1d',
      '      $ dstack apply -f t.dstack.yml --retry',
      '',
      ' WHAT HAPPENED',
      '  2026-11-24 12:00:00 UTC           event 0',
      '  2026-11-24 12:00:02 UTC  +2.5s    event 1',
      '',
    ].join('\n'),
  );
  expect([err, code]).toEqual(['', 0]);
});

test('on a terminal verdicts are coloured, and a narrow terminal hides nothing', async () => {
  const fake = await serving(WAITING);
  const options = { env: serverEnv(fake.url), now: NOW, terminal: 40 };
  const { out } = await runCommand(['explain', 'train'], options);
  expect(out).toContain('\u001b[38;5;136mfull');
  expect(out).toContain('\u001b[38;5;167mnever');
  expect(out).toMatch(/lab {7}.*full.* fixed_size\n {4}it has only the hosts that its\n/);
  const piped = await runCommand(['explain', 'train'], {
    ...options,
    terminal: undefined as never,
  });
  expect(piped.out).not.toContain('\u001b[');
});

test('--json prints the answer unchanged', async () => {
  const fake = await serving(WAITING);
  const { out } = await runCommand(['explain', 'train', '--json'], { env: serverEnv(fake.url) });
  expect(JSON.parse(out)).toEqual(WAITING);
});

test('replicas have their own table, and long lists end with the number of hidden rows', async () => {
  const parts = [0, 1].map((n) => ({
    ...{ kind: 'job', name: `api-0-${n}`, status: 'failed', state: 'retrying' },
    ...{ rule: 'crash_loop', since: null, until: '2026-11-24T12:11:00Z', attempt: 4 + n },
    text: 'fails again and again',
  }));
  const considered = Array.from({ length: 20 }, (_, n) =>
    row({ kind: 'instance', instance: `lab-${n}`, rule: 'busy', text: 'is busy' }),
  );
  const events = Array.from({ length: 15 }, () => WAITING.events[0]);
  const fake = await serving({ ...WAITING, parts, considered, events }, 'services/api');
  const argv = ['explain', 'service', 'api'];
  const { out } = await runCommand(argv, { env: serverEnv(fake.url), now: NOW });
  expect(out).toMatch(/JOB +STATE +ATTEMPT +UNTIL +WHY\n api-0-0 +retrying +4 /);
  expect(out).toContain('and 8 more (-v)');
  expect(out).toContain('WHAT HAPPENED (the last 10 of 15; -v for all)');
  const all = await runCommand([...argv, '-v'], { env: serverEnv(fake.url), now: NOW });
  expect(all.out).toContain('lab-19');
  expect(all.out.match(/event 0/g)).toHaveLength(15);
});

test('events name statuses and reasons in the words of all other texts', async () => {
  const data = {
    ...{ from: 'running', to: 'terminating', reason: 'terminated_by_user', message: null },
  };
  const message =
    'Job status changed RUNNING -> TERMINATING. Termination reason: TERMINATED_BY_USER';
  const event = { ...WAITING.events[0], action: 'job.status_changed', data, message };
  const fake = await serving({ ...WAITING, events: [event] });
  const { out } = await runCommand(['explain', 'train'], { env: serverEnv(fake.url), now: NOW });
  expect(out).toContain('Job status: running → terminating. Reason: terminated by user');
});

test('a service that scales has its figures and targets in lines of their own', async () => {
  const nothing = { asked: null, has: null, count: null, since: null, attempt: null };
  const scaling = { rule: 'scaling' as const, ...nothing };
  const reasons = [
    { ...scaling, part: 'group a', until: '2026-11-24T12:11:00Z', text: 'latency is 3 s' },
    { ...scaling, part: null, until: null, text: 'was scaled from 1 to 2 replicas' },
  ];
  const fake = await serving({ ...WAITING, state: 'running', reasons });
  const { out } = await runCommand(['explain', 'train'], { env: serverEnv(fake.url), now: NOW });
  const until = '2026-11-24 12:11:00 UTC';
  expect(out).toContain(
    ` SCALING\n  - group a: latency is 3 s; the number changes at ${until} (in 1m)\n  - was scaled from 1 to 2 replicas\n`,
  );
});

test('paths of the server are printed with its URL', async () => {
  const fixes = [{ text: 'Send it a request', command: null, value: '/proxy/services/main/api/' }];
  const fake = await serving({ ...WAITING, fixes });
  const { out } = await runCommand(['explain', 'train'], { env: serverEnv(fake.url) });
  expect(out).toContain(`      ${fake.url}/proxy/services/main/api/\n`);
});

test('a fleet without instances has no table of instances', async () => {
  const subject = { ...WAITING.subject, kind: 'fleet', name: 'lab' };
  const fake = await serving({ ...WAITING, subject, parts: [], considered: [] }, 'fleets/lab');
  const { out } = await runCommand(['explain', 'fleet', 'lab'], { env: serverEnv(fake.url) });
  expect(out).toContain(' Fleet ');
  expect(out).not.toContain('STATE');
});

test('the error for a missing resource names the command that lists its kind', async () => {
  const missing = wireError('resource_not_exists', 'Fleet lap not found');
  const fake = await startFakeServer({ [`GET ${BASE}/explain/fleets/lap`]: missing });
  const { err, code } = await runCommand(['explain', 'fleet', 'lap'], { env: serverEnv(fake.url) });
  expect(code).toBe(3);
  expect(err).toContain('Fleet lap does not exist');
  expect(err).toContain('dstack fleet');
});

test('a server without explanations is reported as such', async () => {
  const fake = await startFakeServer({});
  const { err, code } = await runCommand(['explain', 'train'], { env: serverEnv(fake.url) });
  expect(code).toBe(1);
  expect(err).toContain('This server cannot explain');
  expect(err).toContain('dstack event --within-run train');
});
