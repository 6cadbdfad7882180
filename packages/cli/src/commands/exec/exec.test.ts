import type { Job, Run } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { attachedRun, BASE, withStatus } from '../../testing/apply-run.ts';
import { type FakeCommand, fakeJobs, type StartedCommand } from '../../testing/fake-job.ts';
import { startFakeServer } from '../../testing/fake-server.ts';
import { parseCommand } from '../../testing/parse-command.ts';
import {
  type RunOptions,
  runCommand,
  serverEnv,
  withDirectory,
} from '../../testing/run-command.ts';
import { declareExec, type ExecOptions } from './exec.ts';

const DEFAULTS = {
  argv: [],
  interactive: false,
  tty: false,
  replica: null,
  job: null,
  all: false,
};

test.each<[string[], Partial<ExecOptions>]>([
  [['r'], {}],
  [['r', '-it'], { interactive: true, tty: true }],
  [['r', '--', 'ls', '-l', '--all'], { argv: ['ls', '-l', '--all'] }],
  [['r', '-i', '--', '--', '-t'], { argv: ['--', '-t'], interactive: true }],
  [['r', '--job', '1', '--replica', '2', '--', 'ls'], { job: 1, replica: 2, argv: ['ls'] }],
  [['r', '--all', '--', 'ls'], { all: true, argv: ['ls'] }],
])('exec %j', async (argv, expected) => {
  let options: ExecOptions | null = null;
  await parseCommand(
    (program, cli) =>
      declareExec(program, cli, async (o) => {
        options = o;
      }),
    ['exec', ...argv],
  );
  expect(options).toEqual({ ...DEFAULTS, run: 'r', ...expected });
});

type Play = (started: StartedCommand, command: FakeCommand) => void | Promise<void>;

/** Runs `dstack exec rr …` with a job that plays `play`. */
async function exec(argv: string[], play: Play, options: RunOptions = {}, run?: Run) {
  const running = run ?? withStatus(await attachedRun(), 'running', 'running', 'running');
  const fake = await startFakeServer({ [`POST ${BASE}/runs/get`]: { json: running } });
  fakeJobs(fake, play);
  return runCommand(['exec', 'rr', ...argv], { ...options, env: serverEnv(fake.url) });
}

/** The run with a second job. */
async function twoJobs(): Promise<Run> {
  const run = withStatus(await attachedRun(), 'running', 'running', 'running');
  const second = structuredClone(run.jobs[0]) as Job;
  (second.job_spec as { job_num: number }).job_num = 1;
  return { ...run, jobs: [...run.jobs, second] };
}

test('arguments arrive unchanged, streams are separate, and the exit code is the command’s', async () => {
  const odd = ['printf', '%s', "it's", '$HOME', '', 'two  words', '*', '"'];
  const seen: StartedCommand[] = [];
  const { code, out, err } = await exec(['--', ...odd], async (started, command) => {
    seen.push(started);
    expect(await command.read()).toBe('eof');
    command.print('data');
    command.print('message', true);
    command.exit(7);
  });
  expect({ code, out, err }).toEqual({ code: 7, out: 'data', err: 'message' });
  expect(seen[0]).toMatchObject({
    url: `${BASE}/runs/rr/exec?replica=0&job=0`,
    authorization: 'Bearer secret-token',
    argv: odd,
    tty: null,
  });
});

test('with -i the input is passed up to its end', async () => {
  const cat: Play = async (_, command) => {
    for (let text = await command.read(); text !== 'eof'; text = await command.read()) {
      command.print(text);
    }
    command.exit(0);
  };
  const { code, out } = await exec(['-i', '--', 'cat'], cat, { input: 'a\nb' });
  expect([code, out]).toEqual([0, 'a\nb']);
});

test('a shell has a terminal of the size of the user’s', async () => {
  const { code, out } = await exec(
    [],
    async ({ argv, tty }, command) => {
      command.print(`${argv} ${tty?.cols}x${tty?.rows}`);
      expect(await command.read()).toBe('exit\r');
      command.exit(3);
    },
    { terminal: 90, input: 'exit\r' },
  );
  expect([code, out]).toEqual([3, 'undefined 90x24']);
});

test('~. leaves a command that does not react', async () => {
  const { code } = await exec([], () => {}, { terminal: 80, input: 'sleep\r~.' });
  expect(code).toBe(130);
});

test('Ctrl-C goes to the command; a second one disconnects', async () => {
  let press = (): void => {};
  const onStart = (pressCtrlC: () => void): void => {
    press = pressCtrlC;
  };
  const trapped: Play = async (_, command) => {
    await command.read();
    press();
    expect(await command.read()).toBe('signal INT');
    command.print('trapped');
    command.exit(5);
  };
  expect(await exec(['--', 'x'], trapped, { onStart })).toMatchObject({ code: 5, out: 'trapped' });
  const deaf: Play = async (_, command) => {
    await command.read();
    press();
    await command.read();
    press();
  };
  expect((await exec(['--', 'x'], deaf, { onStart })).code).toBe(130);
});

test('--all labels the output of each job, and ends with the code of one that failed', async () => {
  const { code, out, err } = await exec(
    ['--all', '--', 'hostname'],
    async ({ url }, command) => {
      const job = new URLSearchParams(url.split('?')[1]).get('job');
      await command.read();
      command.print(`node${job}\n`);
      command.exit(job === '1' ? 4 : 0);
    },
    {},
    await twoJobs(),
  );
  expect(out.split('\n').toSorted()).toEqual(['', 'job=0 | node0', 'job=1 | node1']);
  expect(err).toBe('job=1 ended with exit code 4\n');
  expect(code).toBe(4);
});

test.each([
  ['unknown_job', 'Run rr, job 0 does not exist', 3],
  ['unreachable', 'The host of the job is unreachable now; try again in a moment', 1],
])('a job that cannot be reached (%s) is an error', async (reason, message, expected) => {
  const { code, err } = await exec(['--', 'x'], (_, command) => command.fail(reason, message));
  expect(code).toBe(expected);
  expect(err).toContain(`error: ${message.split(';')[0]}`);
  expect(err).toContain('next:');
});

test('a restart of the server is named, with the next step', async () => {
  const { code, err } = await exec(['--', 'sleep', '9'], (_, command) => command.goAway());
  expect(code).toBe(1);
  expect(err).toContain('The server was stopped or restarted, which ended the connection');
  expect(err).toContain('next: run the command again');
});

test('a lost connection is an error', async () => {
  const { code, err } = await exec(['--', 'x'], (_, command) => command.cut());
  expect(code).toBe(1);
  expect(err).toContain('The connection to the server was lost');
});

test('a refused connection is reported with the answer of the server', async () => {
  const running = withStatus(await attachedRun(), 'running', 'running', 'running');
  const fake = await startFakeServer({ [`POST ${BASE}/runs/get`]: { json: running } });
  fake.onUpgrade((_request, socket) => {
    const body = JSON.stringify({ detail: { msg: 'Access denied: only managers', code: null } });
    socket.end(
      `HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  });
  const { code, err } = await runCommand(['exec', 'rr', '--', 'x'], { env: serverEnv(fake.url) });
  expect(code).toBe(4);
  expect(err).toContain('only managers');
});

test.each([
  [['--all'], '--all needs a command'],
  [['--all', '-i', '--', 'x'], '--all and --interactive cannot be used together'],
  [['-t', '--', 'x'], '--tty needs a terminal'],
])('exec %j is refused', async (argv, message) => {
  const { code, err } = await exec(argv, () => {});
  expect(code).toBe(2);
  expect(err).toContain(message);
});

test('dstack ssh reaches the runs of a token without a key through the server', () =>
  withDirectory(async (home) => {
    const msg = 'Access denied: service tokens cannot be used for this';
    const fake = await startFakeServer({
      [`POST ${BASE}/runs/get`]: {
        json: withStatus(await attachedRun(), 'running', 'running', 'running'),
      },
      'POST /api/users/get_my_user': { status: 403, json: { detail: { msg, code: null } } },
    });
    fakeJobs(fake, async ({ argv, command: line }, command) => {
      for (let text = await command.read(); text !== 'eof'; text = await command.read()) {
        command.print(text);
      }
      command.print(JSON.stringify(argv ?? line));
      command.exit(9);
    });
    const ssh = (...words: string[]) =>
      runCommand(['ssh', 'rr', '--', ...words], { env: serverEnv(fake.url), home, input: 'in ' });
    expect(await ssh('sh', '-c', 'exit 9')).toMatchObject({
      code: 9,
      out: 'in ["sh","-c","exit 9"]',
    });
    expect(await ssh('ls | wc')).toMatchObject({ code: 9, out: 'in "ls | wc"' });
  }));
