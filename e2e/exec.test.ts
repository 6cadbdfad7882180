/** Commands in running jobs, connections to their ports, and the stream of changes, over the API. */
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Client, createClient, type ExecRequest, type ExecSession } from '@dstack/client';
import type { Installation } from '@dstack/testkit';
import { dockerMissing } from '@dstack/testkit/docker';
import { startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DockerHome, IMAGE, startDockerHome } from './docker.ts';
import {
  afterFailure,
  allIdle,
  applySshFleet,
  missingForHosts,
  onFleet,
  untilInstances,
} from './hosts.ts';
import {
  applyFleet,
  dstack,
  isRunning,
  newInstallation,
  type ShownRun,
  submit,
  untilRun,
} from './installation.ts';
import { untilPrinted } from './printed.ts';
import { Terminal } from './terminal.ts';

const noDocker = dockerMissing();
if (noDocker) console.warn(`Commands in containers are NOT tested: ${noDocker} is missing`);
const noHosts = missingForHosts();

const client = (home: Installation, token = home.token()): Client =>
  createClient({ url: home.url, token });

interface Running {
  readonly session: ExecSession;
  text(): string;
  errors(): string;
  until(text: string): Promise<void>;
}

function exec(home: Installation, run: string, request: ExecRequest): Running {
  let [out, err] = ['', ''];
  const onOutput = (bytes: Uint8Array, isError: boolean) => {
    const text = Buffer.from(bytes).toString();
    if (isError) err += text;
    else out += text;
  };
  const session = client(home).project('main').jobs.exec(run, request, { onOutput });
  session.result.catch(() => {});
  return {
    session,
    text: () => out,
    errors: () => err,
    until: (text) =>
      vi.waitFor(() => expect(out).toContain(text), { timeout: 30_000, interval: 10 }),
  };
}

/** Whether it is the main process of an agent. */
function isAgent(pid: number): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('agent/main.js');
}

const TTY = { term: 'xterm', cols: 90, rows: 25 };

/** Tries what must work in every job, wherever it runs: arguments, streams, exit codes and terminals. */
async function tryCommands(home: Installation, run: string): Promise<void> {
  const odd = ["it's", '$HOME', '', 'two  words'];
  const printed = exec(home, run, { argv: ['printf', '[%s]', ...odd] });
  expect(await printed.session.result).toEqual({ status: 0, signal: null });
  expect(printed.text()).toBe(odd.map((one) => `[${one}]`).join(''));

  const both = exec(home, run, { command: 'cat; echo "$DSTACK_RUN_NAME" >&2; exit 7' });
  both.session.write('input');
  both.session.end();
  expect(await both.session.result).toEqual({ status: 7, signal: null });
  expect([both.text(), both.errors()]).toEqual(['input', `${run}\n`]);

  const shell = exec(home, run, { tty: TTY });
  shell.session.write('stty size\n');
  await shell.until('25 90');
  shell.session.write('exit 4\n');
  expect((await shell.session.result).status).toBe(4);
}

describe('a process job', () => {
  let home: Installation;
  beforeAll(async () => {
    home = newInstallation();
    await home.startServer();
    await applyFleet(home, '0..2');
    const serve =
      "exec node -e \"require('net').createServer((s) => s.pipe(s)).listen(8123, '127.0.0.1', () => console.log('serving'))\"";
    await submit(home, 'echo', [serve]);
    await untilRun(home, 'echo', isRunning);
    await untilPrinted(home, 'echo', (text) => text.includes('serving'));
  });
  afterAll(() => home?.dispose());

  it('runs commands', async () => {
    await tryCommands(home, 'echo');
  });

  it('runs commands of the command line, also with a token of a program', async () => {
    const odd = ["it's", '$HOME', '', 'two  words', '*'];
    const printed = await home.dstack(['exec', 'echo', '--', 'printf', '[%s]', ...odd]);
    expect([printed.code, printed.stdout]).toEqual([0, odd.map((one) => `[${one}]`).join('')]);
    const created = await home.ok('token', 'create', 'ci', '--scope', 'user', '--json');
    const env = { ...home.env, DSTACK_TOKEN: (JSON.parse(created) as { token: string }).token };
    const line = ['-c', 'cat; echo no >&2; exit 9'];
    for (const words of [
      ['exec', 'echo', '-i', '--', 'sh', ...line],
      ['ssh', 'echo', '--', 'sh', ...line],
    ]) {
      const ended = await home.dstack(words, { env, input: 'in' });
      expect([ended.code, ended.stdout, ended.stderr]).toEqual([9, 'in', 'no\n']);
    }
    const shell = new Terminal(home, ['exec', 'echo', '-it', '--', 'sh'], dstack);
    shell.type('tty && echo is$((1+1))\r');
    await shell.until(/is2/);
    shell.pressCtrlC();
    // A shell drops what was typed before it has handled Ctrl-C.
    await shell.until(/\^C\s+[$#] /);
    shell.type('exit 3\r');
    expect(await shell.end()).toBe(3);
  });

  it('is reached at its ports', async () => {
    const received: Uint8Array[] = [];
    const jobs = client(home).project('main').jobs;
    const tunnel = jobs.port('echo', 8123, {}, (bytes) => received.push(bytes));
    await tunnel.opened;
    const sent = Buffer.alloc(2_000_000, 'abc');
    tunnel.write(sent);
    const length = () => received.reduce((sum, bytes) => sum + bytes.byteLength, 0);
    await vi.waitFor(() => expect(length()).toBe(sent.length), { timeout: 30_000 });
    expect(Buffer.concat(received).equals(sent)).toBe(true);
    tunnel.close();
    await tunnel.closed;
    const refused = jobs.port('echo', 1, {}, () => {});
    await expect(refused.closed).rejects.toMatchObject({ code: 'port_refused' });
  });

  it('is reached by cp and port-forward of the command line', async () => {
    const local = join(home.home, 'data');
    mkdirSync(join(local, 'sub'), { recursive: true });
    const content = Buffer.alloc(3_000_000, 'xyz');
    writeFileSync(join(local, 'sub', 'a b'), content);
    await home.ok('cp', local, 'echo:copied/');
    await home.ok('cp', local, 'echo:renamed');
    const listed = await home.ok('exec', 'echo', '--', 'ls', 'copied/data/sub', 'renamed/sub');
    expect(listed.match(/a b/g)).toHaveLength(2);
    await home.ok('cp', 'echo:renamed', join(home.home, 'back'));
    expect(readFileSync(join(home.home, 'back', 'sub', 'a b')).equals(content)).toBe(true);
    const missing = await home.dstack(['cp', 'echo:nothing', 'x']);
    expect([missing.code, missing.stderr]).toEqual([3, expect.stringContaining('does not exist')]);

    const forwarding = home.spawn(['port-forward', 'echo', '*:8123']);
    let shown = '';
    forwarding.stderr?.on('data', (chunk) => {
      shown += chunk;
    });
    const line = /Forwarding localhost:(\d+) -> 8123 of echo/;
    await vi.waitFor(() => expect(shown).toMatch(line), { timeout: 30_000, interval: 10 });
    const socket = connect(Number(line.exec(shown)?.[1]), '127.0.0.1');
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(chunk));
    socket.write(content);
    const length = () => received.reduce((sum, chunk) => sum + chunk.length, 0);
    await vi.waitFor(() => expect(length()).toBe(content.length), { timeout: 30_000 });
    expect(Buffer.concat(received).equals(content)).toBe(true);
    socket.destroy();
    forwarding.kill('SIGINT');
    expect((await once(forwarding, 'exit'))[0]).toBe(0);
  });

  it('is shown by top, and the checks of doctor succeed', async () => {
    expect(await home.ok('top')).toMatch(/ echo-0-0 +admin/);
    const { checks } = JSON.parse(await home.ok('doctor', '--json')) as {
      checks: { name: string; state: string }[];
    };
    const broken = checks.filter(({ state }) => state === 'failed');
    expect(broken).toEqual([]);
    // The machine of the server has no price: what the run has cost is not known.
    const report = JSON.parse(await home.ok('cost', '--json'));
    const unknown = expect.objectContaining({ run_name: 'echo', cost: null });
    expect(report).toMatchObject({ total: 0, rows: expect.arrayContaining([unknown]) });
  });

  it('reports why there is no command', async () => {
    const none = exec(home, 'echo', { job: 3 });
    await expect(none.session.result).rejects.toMatchObject({ code: 'unknown_job' });
    const missing = exec(home, 'echo', { argv: ['/no/such'] });
    const result = missing.session.result.then(
      ({ status }) => status,
      (error: { code: string }) => error.code,
    );
    expect([126, 127, 'refused', 'internal']).toContain(await result);
  });

  it('loses its commands when the agent is killed, and runs new ones soon after', async () => {
    const run = exec(home, 'echo', { tty: TTY, command: 'echo on; sleep 300' });
    await run.until('on');
    for (const pid of home.processes()) {
      if (isAgent(pid)) process.kill(pid, 'SIGKILL');
    }
    await expect(run.session.result).rejects.toMatchObject({ code: 'connection_lost' });
    await vi.waitFor(
      async () => {
        const again = exec(home, 'echo', { argv: ['true'] });
        expect((await again.session.result).status).toBe(0);
      },
      { timeout: 60_000, interval: 500 },
    );
  });

  it('is shown by the stream of changes from its submission to its end', async () => {
    const left = new AbortController();
    const states: string[] = [];
    const watching = (async () => {
      const changes = client(home).changes.watch({ types: ['run'] }, left.signal);
      for await (const one of changes) {
        if (one.kind === 'notice') states.push(one.notice.event);
        if (one.kind !== 'change' || one.change.type !== 'run') continue;
        const { data } = one.change;
        if (data?.run_spec.run_name !== 'short') continue;
        states.push(data.status);
        if (data.status === 'done') return;
      }
    })();
    await vi.waitFor(() => expect(states).toEqual(['ready']), { timeout: 30_000 });
    await submit(home, 'short', ['true']);
    await watching;
    left.abort();
    // States that follow each other at once are combined.
    expect(states.length).toBeGreaterThan(2);
    expect(states.at(-1)).toBe('done');
  });

  it('is shown again after the server restarts', async () => {
    const left = new AbortController();
    const notices: string[] = [];
    const watching = (async () => {
      for await (const one of client(home).changes.watch({}, left.signal)) {
        if (one.kind === 'notice') notices.push(one.notice.event);
        if (notices.length === 2) return;
      }
    })();
    await vi.waitFor(() => expect(notices).toEqual(['ready']), { timeout: 30_000 });
    await home.stopServer('SIGKILL');
    await home.startServer();
    await watching;
    left.abort();
    expect(notices).toEqual(['ready', 'reset']);
  });
});

describe.skipIf(noDocker !== null)('a job in a container', () => {
  let docker: DockerHome;
  beforeAll(async () => {
    docker = await startDockerHome();
    await submit(docker.home, 'idle', ['exec sleep 600'], `image: ${IMAGE}\n`);
    await untilRun(docker.home, 'idle', isRunning);
  });
  afterAll(() => docker?.dispose());

  it('runs commands', async () => {
    await tryCommands(docker.home, 'idle');
  });
});

describe.skipIf(noHosts !== null)('a job on an SSH host', () => {
  let machines: TestHosts;
  let home: Installation;
  beforeAll(async () => {
    machines = await startHosts({ count: 1 });
    await machines.busybox(IMAGE);
    home = newInstallation();
    await home.startServer();
    await applySshFleet(home, machines, 'hosts', machines.hosts as TestHost[]);
  });
  // A test that fails has its runs ended.
  beforeEach(async () => {
    const runs = await home.api<ShownRun[]>('/api/runs/list', { only_active: true });
    if (runs.some(isRunning)) return;
    await untilInstances(home, 'hosts', allIdle);
    await submit(home, 'idle', ['exec sleep 600'], onFleet('hosts'));
    await untilRun(home, 'idle', isRunning);
  });
  afterEach(({ task }) => afterFailure(task, home, machines.hosts));
  afterAll(async () => {
    await home?.dispose();
    machines?.close();
  });

  it('runs commands', async () => {
    await tryCommands(home, 'idle');
  });

  it('passes much output in order', async () => {
    const run = exec(home, 'idle', { command: 'seq 1 200000' });
    expect((await run.session.result).status).toBe(0);
    const lines = run.text().trimEnd().split('\n');
    expect([lines.length, lines.every((line, at) => line === String(at + 1))]).toEqual([
      200_000,
      true,
    ]);
  });
});
