/** Compares the schema of `--json` with what commands print. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApiDocument } from '@dstack/contract/api';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import type { Cli } from './context.ts';
import { COMMANDS } from './program.ts';
import { apply, attachedRun, BASE, recordedRoutes, TASK, withStatus } from './testing/apply-run.ts';
import { LOG_END, type Route, runEvent, startFakeServer } from './testing/fake-server.ts';
import { hostileRoutes } from './testing/hostile-answers.ts';
import { runCommand, serverEnv } from './testing/run-command.ts';

const path = join(import.meta.dirname, '../../../docs/json-output.schema.json');
const schema = JSON.parse(readFileSync(path, 'utf8')) as { $defs: Record<string, object> };

const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ $id: 'openapi.json', ...openApiDocument() });
ajv.addSchema(schema);

function problemsOf(command: string, document: unknown): unknown[] {
  const at = `json-output.schema.json#/$defs/${encodeURIComponent(command)}`;
  const validate = ajv.getSchema(at);
  if (validate === undefined) return [`no schema of ${command}`];
  if (validate(document)) return [];
  return (validate.errors ?? [])
    .map(({ instancePath, message }) => `${instancePath} ${message}`)
    .filter((problem) => !DEEP.test(problem));
}

/** Specifications inside of models: the samples of the server's answers do not fill them in exactly. */
const DEEP = /\/(?:run_spec|spec|job_spec|instance_type|service|backend_settings)\b/;

/** Command lines by the name of their definition. */
const LINES: Readonly<Record<string, readonly string[]>> = {
  ps: ['ps'],
  'run get': ['run', 'get', 'rr'],
  'fleet list': ['fleet'],
  'fleet get': ['fleet', 'get', 'rr'],
  'instance list': ['instance'],
  'instance cordon': ['instance', 'cordon', 'rr-0'],
  'instance drain': ['instance', 'drain', 'rr-0'],
  'instance uncordon': ['instance', 'uncordon', 'rr-0'],
  'volume list': ['volume'],
  'volume get': ['volume', 'get', 'rr'],
  'gateway list': ['gateway'],
  'gateway get': ['gateway', 'get', 'rr'],
  'backend list': ['backend'],
  'backend check': ['backend', 'check'],
  'quota list': ['quota'],
  'quota set': ['quota', 'set', '--limit', 'gpu=8'],
  'secret list': ['secret'],
  'secret get': ['secret', 'get', 'rr'],
  'export list': ['export'],
  'import list': ['import'],
  'token list': ['token'],
  'token create': ['token', 'create', 'tt'],
  event: ['event'],
  explain: ['explain', 'rr'],
  'rollout status': ['rollout', 'status', 'rr'],
  offer: ['offer'],
  'offer --group-by': ['offer', '--group-by', 'gpu'],
  metrics: ['metrics', 'rr', '--job', '1'],
  'project list': ['project', 'list'],
  'project member list': ['project', 'member'],
  'user list': ['user'],
  'user add': ['user', 'add', 'nn'],
  'user rotate': ['user', 'rotate', 'ann', '-y'],
  cost: ['cost'],
  queue: ['queue'],
  service: ['service', 'rr'],
  share: ['share'],
  usage: ['usage'],
  top: ['top'],
  doctor: ['doctor'],
  'server orphans': ['server', 'orphans'],
  'server usage': ['server', 'usage'],
  'project retention': ['project', 'retention'],
  logs: ['logs', 'rr', '--replica', '1', '--job', '1'],
  'gateway logs': ['gateway', 'logs', 'rr'],
};

/** Where the answer must contain something that fits the command line. */
const FITTING: Readonly<Record<string, Route>> = {
  'POST /api/users/list': { json: [{ username: 'ann' }] },
  'POST /api/project/main/logs/poll': {
    json: { logs: [{ timestamp: '2026-11-24T15:00:00Z', message: 'eA==' }], next_token: null },
  },
};

test.each(Object.entries(LINES))('%s --json fits its schema', async (command, line) => {
  const more = command === 'user rotate' || command === 'logs' ? FITTING : {};
  const routes = { ...hostileRoutes(), ...more };
  const gateways = routes[`POST ${BASE}/gateways/list`] as { json: object[] };
  // `gateway get` looks for the name in the list.
  Object.assign(gateways.json[0] ?? {}, { name: 'rr', project_name: 'main' });
  const fake = await startFakeServer(routes);
  const { out } = await runCommand([...line, '--json'], { env: serverEnv(fake.url) });
  const documents = out.startsWith('{\n') ? [out] : out.trimEnd().split('\n');
  for (const document of documents) expect(problemsOf(command, JSON.parse(document))).toEqual([]);
});

test('the lines of apply --json fit their schema', async () => {
  const run = await attachedRun();
  const pulling = withStatus(run, 'provisioning', 'pulling', 'pulling');
  const submission = pulling.jobs[0]?.job_submissions.at(-1);
  const bytes = { downloaded_bytes: 5, extracted_bytes: 1, total_bytes: 9 };
  if (submission) submission.image_pull_progress = { ...bytes, is_total_bytes_final: true };
  const states = [pulling, run, run, run];
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    [`GET ${BASE}/runs/watch`]: () => ({ events: states.splice(0, 2).map(runEvent), open: true }),
    [`GET ${BASE}/logs/stream`]: { events: [LOG_END] },
  });
  const { out } = await apply(TASK, ['-y', '--json'], fake);
  const lines = out.trimEnd().split('\n');
  expect(lines.map((line) => problemsOf('apply', JSON.parse(line)))).toEqual([[], []]);
});

test('the run that wait --json prints fits its schema', async () => {
  const run = await attachedRun();
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    [`GET ${BASE}/runs/watch`]: { events: [runEvent(run)], open: true },
  });
  const line = ['wait', 'r', '--for', 'running', '--json'];
  const { out } = await runCommand(line, { env: serverEnv(fake.url) });
  expect(problemsOf('wait', JSON.parse(out))).toEqual([]);
});

test('the run that rerun --json prints fits its schema', async () => {
  const routes = await recordedRoutes('apply-d');
  const fake = await startFakeServer({
    ...routes,
    [`POST ${BASE}/runs/rerun`]: { json: await attachedRun() },
  });
  const { out } = await runCommand(['rerun', 'r', '--json'], { env: serverEnv(fake.url) });
  expect(problemsOf('rerun', JSON.parse(out))).toEqual([]);
});

test('a plan, a detached run and a configuration fit their schemas', async () => {
  const routes = await recordedRoutes('apply-d');
  const planned = `POST ${BASE}/runs/get_plan`;
  // The recorded answers are those of dstack 0.22.5, which has neither notes nor an outlook.
  const waits = { queue_place: 1, expected_start: null, is_about: false };
  const uses = { preempts: [], quota: [], borrows: null };
  const ours = { notes: [], outlook: null, ...waits, ...uses };
  const answer = { json: { ...(routes[planned] as { json: object }).json, ...ours } };
  const fake = await startFakeServer({ ...routes, [planned]: answer });
  const plan = await apply(TASK, ['--dry-run', '--json'], fake);
  expect(problemsOf('apply --dry-run', JSON.parse(plan.out))).toEqual([]);
  const detached = await apply(TASK, ['-y', '-d', '--json'], fake);
  expect(problemsOf('apply --detach', JSON.parse(detached.out))).toEqual([]);
  const validated = await runCommand(['validate', '-', '--json'], { input: TASK });
  expect(problemsOf('validate', JSON.parse(validated.out))).toEqual([]);
});

/** Compared by the tests of these commands, which work on files. */
const BACKUPS = ['server backup', 'server restore'];

/** Their documents are those of another command line. */
const SAME: Readonly<Record<string, string>> = {
  'event export': 'event',
  'gateway certificate delete': 'gateway get',
  'gateway certificate set': 'gateway get',
  'rollout pause': 'rollout status',
  'rollout resume': 'rollout status',
  'rollout undo': 'rollout status',
};

test('every command with --json has a schema', async () => {
  const names: string[] = [];
  const visit = (command: Command, parents: readonly string[]): void => {
    const path = [...parents, command.name()];
    const hasList = command.commands.some((one) => one.name() === 'list');
    // Without a subcommand these are their lists.
    const isOwn = !hasList && command.options.some(({ long }) => long === '--json');
    if (isOwn && path.at(-1) !== 'list') names.push(path.join(' '));
    else if (isOwn) names.push(path[0] === 'event' ? 'event' : path.join(' '));
    for (const child of command.commands) visit(child, path);
  };
  for (const { load } of COMMANDS) {
    const program = new Command('dstack');
    const declare = await load();
    declare(program, { args: [], env: {} } as unknown as Cli);
    for (const command of program.commands) visit(command, []);
  }
  const missing = names.map((name) => SAME[name] ?? name).filter((name) => !schema.$defs[name]);
  expect(missing).toEqual([]);
  expect(names.length).toBeGreaterThan(30);
});

test('every definition is compared, and refuses other documents', () => {
  const apart = [
    'apply',
    'apply --detach',
    'apply --dry-run',
    'rerun',
    'validate',
    'wait',
    ...BACKUPS,
  ];
  expect(Object.keys(schema.$defs).toSorted()).toEqual(
    [...Object.keys(LINES), ...apart].toSorted(),
  );
  for (const command of Object.keys(schema.$defs)) {
    expect(problemsOf(command, { nothing: true })).not.toEqual([]);
  }
});
