import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { seenInLogs } from './counting.ts';
import {
  applyFleet,
  configuration,
  isFinished,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';
import { Terminal } from './terminal.ts';

const missing = ['/usr/bin/ssh', '/usr/bin/script', '/usr/bin/python3'].find((p) => !existsSync(p));
if (missing) console.warn(`Attaching is NOT tested: ${missing} is missing`);

const dstack = resolve(import.meta.dirname, '..', 'bin', 'dstack');
const DETACH = /Press Ctrl\+C to detach/;

describe.skipIf(missing !== undefined)('attaching to a run', () => {
  let home: Installation;
  /** The run's port, and its forwarded URL. */
  let port: number;
  let local: number;
  beforeAll(async () => {
    port = await freePair();
    local = port + 10_000;
    home = newInstallation();
    await home.startServer();
    await applyFleet(home, '0..4');
    const serve = `exec python3 -m http.server ${port} --bind 127.0.0.1`;
    await submit(
      home,
      'web',
      [`echo at http://localhost:${port}/; ${serve}`],
      `ports: [${port}]\n`,
    );
    await untilRun(home, 'web', isRunning);
  });
  afterAll(() => home?.dispose());

  /** A terminal that a failed test has left open would keep the port of the next test. */
  const opened: Terminal[] = [];
  afterEach(async () => {
    for (const left of opened.splice(0)) await left.close();
  });

  const terminal = (...args: string[]) => {
    const one = new Terminal(home, args, dstack);
    opened.push(one);
    return one;
  };
  const hosts = () => readFileSync(join(home.home, '.dstack', 'ssh', 'config'), 'utf8');
  const forwarded = async (of: Terminal) => {
    const [, at] = await of.until(new RegExp(`localhost:(\\d+) -> ${port}`));
    await of.until(DETACH);
    return `http://localhost:${at}/`;
  };
  const status = async (url: string) => (await fetch(url)).status;

  /** Process ids of the ssh processes that belong to attachments of this installation. */
  function tunnels(): number[] {
    return home.processes().filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('dstack-connected');
      } catch {
        return false;
      }
    });
  }

  it("forwards a port of a plain process to another local port, also in the job's output", async () => {
    const attached = terminal('attach', 'web', '--logs');
    const url = await forwarded(attached);
    expect(url).toBe(`http://localhost:${local}/`);
    await attached.until(new RegExp(`at http://localhost:${local}/`));
    expect(await status(url)).toBe(200);
    // dstack 0.22.5 looks for these to join a connection and to read the output through it.
    const words = readFileSync(`/proc/${tunnels()[0]}/cmdline`, 'utf8').split('\0');
    expect(words[0]).toMatch(/^\/.*ssh$/);
    expect(words).toContain(join(home.home, '.dstack', 'ssh', 'web.control.sock'));
    expect(words.some((word) => /^localhost:\d+:localhost:10999$/.test(word))).toBe(true);
    attached.pressCtrlC();
    expect(await attached.end()).toBe(0);
    expect(attached.text).toContain('Detached');
    expect([hosts(), tunnels()]).toEqual(['', []]);
  });

  it('is shared by two terminals, and survives the end of the first', async () => {
    const first = terminal('attach', 'web');
    const url = await forwarded(first);
    const second = terminal('attach', 'web');
    expect(await forwarded(second)).toBe(url);
    expect(tunnels()).toHaveLength(1);
    // A third terminal that comes and leaves does not close the connection.
    const third = terminal('attach', 'web');
    expect(await forwarded(third)).toBe(url);
    third.pressCtrlC();
    expect(await third.end()).toBe(0);
    expect(await status(url)).toBe(200);
    first.pressCtrlC();
    await first.end();
    await second.until(/Reconnected to web/);
    expect(await status(url)).toBe(200);
    expect(hosts()).toContain('Host web\n');
    second.pressCtrlC();
    await second.end();
    expect([hosts(), tunnels()]).toEqual(['', []]);
  });

  it('reconnects when the connection is cut', async () => {
    const attached = terminal('attach', 'web');
    const url = await forwarded(attached);
    for (const pid of tunnels()) process.kill(pid, 'SIGKILL');
    await attached.until(/Lost the connection to web[\s\S]*Reconnected to web/);
    expect(await status(url)).toBe(200);
    attached.pressCtrlC();
    await attached.end();
  });

  it('needs the server only to reconnect', async () => {
    const yaml = `type: task\nname: ticks\ncommands: ['for i in $(seq 200); do echo tick $i; sleep 0.1; done']\nresources: {gpu: 0}\n`;
    const file = configuration(home, 'ticks.dstack.yml', yaml);
    const attached = terminal('apply', '-f', file, '-y');
    await attached.until(/tick 2\b/);
    await home.stopServer('SIGKILL');
    await home.startServer();
    await attached.until(/tick 3\b[\s\S]*tick 50\b/);
    const seen = [...attached.text.matchAll(/tick (\d+)/g)].map((match) => Number(match[1]));
    expect(seen).toEqual(seen.map((_, i) => i + 1));
    attached.pressCtrlC();
    // With --yes there are no questions.
    expect(await attached.end()).toBe(0);
    await home.ok('stop', 'ticks', '-x', '-y');
  });

  it('takes over the connection that a killed attachment has left behind', async () => {
    const killed = home.spawn(['attach', 'web']);
    await new Promise<void>((done) => {
      killed.stderr?.on('data', (chunk) => DETACH.test(String(chunk)) && done());
    });
    killed.kill('SIGKILL');
    const [left] = tunnels();
    const attached = terminal('attach', 'web');
    await forwarded(attached);
    expect(tunnels()).not.toContain(left);
    attached.pressCtrlC();
    await attached.end();
    expect([hosts(), tunnels()]).toEqual(['', []]);
  });

  it('uses another local port when the usual one is taken, unless the user named the port', async () => {
    const other = createServer();
    await once(other.listen(local, '127.0.0.1'), 'listening');
    try {
      const attached = terminal('attach', 'web');
      expect(Number(new URL(await forwarded(attached)).port)).toBeGreaterThan(local);
      expect(attached.text).toContain(`Port ${local} is in use, so`);
      attached.pressCtrlC();
      await attached.end();
      const asked = await home.dstack(['attach', 'web', '-p', `${local}:${port}`]);
      expect(asked.code).toBe(1);
      expect(asked.stderr).toMatch(
        new RegExp(`Port ${local} is already in use[^]*-p ${local + 1}:${port}`),
      );
      const own = await home.dstack(['attach', 'web', '-p', String(port)]);
      expect(own.stderr).toMatch(
        new RegExp(`cannot be forwarded to itself[^]*-p ${local}:${port}`),
      );
    } finally {
      other.close();
    }
  });

  it('leaves the SSH configuration of the user unchanged', async () => {
    const path = join(home.home, '.ssh', 'config');
    await mkdir(join(home.home, '.ssh'), { recursive: true });
    const own = `Host x\n  NoSuchWord yes\n  Include ${home.home}/.dstack/ssh/config\n"broken\n`;
    await writeFile(path, own, { mode: 0o644 });
    for (let i = 0; i < 2; i += 1) {
      const attached = terminal('attach', 'web');
      await attached.until(DETACH);
      attached.pressCtrlC();
      await attached.end();
    }
    const include = `Include ${home.home}/.dstack/ssh/config`;
    expect(readFileSync(path, 'utf8')).toBe(`${include}\n\nHost x\n  NoSuchWord yes\n"broken\n`);
  });

  it('asks at Ctrl-C; with "no" the run continues', async () => {
    await submit(home, 'asked', ['sleep 1000']);
    await untilRun(home, 'asked', isRunning);
    await home.ok('stop', 'asked', '-x', '-y');
    const attached = terminal('apply', '-f', 'asked.dstack.yml');
    await attached.until(/\[y\/n\]/);
    attached.type('y\r');
    await attached.until(/provisioning completed/);
    attached.pressCtrlC();
    await attached.until(/before detaching/);
    attached.type('n\r');
    expect(await attached.end()).toBe(0);
    expect(attached.text).toContain('Detached');
    expect(isRunning(await untilRun(home, 'asked', () => true))).toBe(true);
  });

  it('asks at Ctrl-C; with "yes" the run stops, and another Ctrl-C aborts it', async () => {
    const stubborn = ["trap '' INT TERM", 'echo deaf', 'while :; do sleep 0.1; done'];
    await submit(home, 'deaf', stubborn);
    await untilRun(home, 'deaf', isRunning);
    await home.ok('stop', 'deaf', '-x', '-y');
    const attached = terminal('apply', '-f', 'deaf.dstack.yml');
    await attached.until(/\[y\/n\]/);
    attached.type('y\r');
    await attached.until(/provisioning completed[\s\S]*deaf/);
    attached.pressCtrlC();
    await attached.until(/before detaching/);
    attached.type('y\r');
    await attached.until(/Ctrl-C again to abort/);
    await untilRun(home, 'deaf', (run) => run.status === 'terminating');
    attached.pressCtrlC();
    await attached.until(/Aborted/);
    expect(await attached.end()).toBe(130);
  });

  it('ends with the run, and prints the end of a run that is already finished', async () => {
    const attached = terminal('attach', 'web');
    await attached.until(DETACH);
    await home.ok('stop', 'web', '-x', '-y');
    expect(await attached.end()).toBe(130);
    await untilRun(home, 'web', isFinished);
    expect([hosts(), tunnels()]).toEqual(['', []]);
    const over = await home.dstack(['attach', 'web', '--logs']);
    expect(over.code).toBe(130);
    expect(over.stdout).toContain(`at http://localhost:${port}/`);
    expect(over.stderr).toContain('Aborted');
  });

  it('does not start if a secret does not exist', async () => {
    const yaml = `type: task\nname: barren\ncommands: [env]\nenv: {A: "\${{ secrets.none }}"}\nresources: {gpu: 0}\n`;
    const file = configuration(home, 'barren.dstack.yml', yaml);
    const early = await home.dstack(['apply', '-f', file, '-y']);
    expect(early.code).toBe(3);
    expect(early.stderr).toMatch(/Secret none does not exist[\s\S]*dstack secret set none/);
    await home.ok('secret', 'set', 'none', 'x');
    await home.ok('apply', '-f', file, '-y');
  });

  it('ends with a job that was never started', async () => {
    const env = { A: '${{ secrets.gone }}' };
    const resources = { gpu: 0 };
    const task = { type: 'task', name: 'stillborn', commands: ['env'], env, resources };
    const spec = { run_name: 'stillborn', configuration: task, profile: { name: 'default' } };
    await home.api('/api/project/main/runs/apply', { plan: { run_spec: spec }, force: false });
    const logs = await home.dstack(['logs', 'stillborn', '-f']);
    expect([logs.code, logs.stdout]).toEqual([1, '']);
    const end = await home.dstack(['attach', 'stillborn', '--logs']);
    expect(end.code).toBe(1);
    expect(end.stderr).toContain('Secrets interpolation error');
  });

  it('prints the last lines of a log and follows it', async () => {
    const lines = ['for i in 1 2 3 4 5; do echo line $i; done', 'sleep 2', 'echo line 6'];
    await submit(home, 'lines', lines);
    await untilRun(home, 'lines', isRunning);
    await seenInLogs(home, 'lines', 'line 5');
    const text = await home.ok('logs', 'lines', '-f', '-n', '2');
    expect(text.replaceAll('\r', '')).toBe('line 4\nline 5\nline 6\n');
    expect(await home.ok('logs', 'lines', '-f', '--since', '1h')).toContain('line 1');
  });
});

/**
 * A free local port whose forwarded port is free as well. Both are below the kernel's range for
 * outgoing connections, which may start at any moment, and outside of 10000 to 10999, which are
 * reserved and not forwarded.
 */
async function freePair(): Promise<number> {
  for (;;) {
    const port = 11_000 + Math.floor(Math.random() * 11_000);
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
