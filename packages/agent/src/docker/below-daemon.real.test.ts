import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentHarness, jobSpec } from '../testing/agent-harness.ts';
import type { TestStream } from '../testing/test-stream.ts';
import { DaemonWatch } from './daemon-watch.ts';

const missing = dockerMissing();
if (missing) console.warn(`Faults below the Docker daemon are NOT tested: ${missing} is missing`);

const CONTAINERD = '/usr/bin/containerd';
const SLEEPING = 'echo ready; sleep 1000';
/** A directory over a file of the image. */
const MOUNT = {
  source: '/tmp',
  target: '/etc/passwd',
  read_only: true,
  optional: false,
  volume: null,
};

describe.skipIf(missing !== null)('below a Docker daemon that answers', () => {
  let engine: TestDocker;
  let agent: AgentHarness;
  let stream: TestStream;
  beforeEach(async () => {
    engine = await startDocker();
    await engine.busybox('busybox:test');
    agent = new AgentHarness(['--executor', 'docker'], { DOCKER_HOST: engine.host });
    await agent.start();
    stream = await agent.connect();
  });
  afterEach(async () => {
    await stream.close();
    await agent.dispose();
    await engine.close();
  });

  /** Runs a command in the namespaces of the daemon. */
  const inHost = (...command: readonly string[]) =>
    execFileSync('nsenter', ['-t', String(engine.pid), '-n', '-m', ...command]);

  /** The daemon starts containerd itself, and again after its end. */
  function containerd(): number {
    const children = readdirSync('/proc').filter((name) => {
      try {
        return readFileSync(`/proc/${name}/stat`, 'utf8').includes(`(containerd) `);
      } catch {
        return false;
      }
    });
    const own = children.find((pid) => parentOf(pid) === engine.pid);
    return own === undefined ? 0 : Number(own);
  }

  async function exitOf(commands: readonly string[], more: Parameters<typeof jobSpec>[1] = {}) {
    const spec = jobSpec([], { shell_commands: null, commands: [...commands], ...more });
    await agent.put(spec);
    const { state } = await stream.whole(spec.id);
    return state.exit;
  }

  async function check() {
    const watch = new DaemonWatch(engine.docker);
    try {
      return await watch.check(3000);
    } finally {
      watch.close();
    }
  }

  it('a dead containerd fails starts as a fault of the host, and the check of the executor', async () => {
    // The daemon starts containerd again, so its program has to be missing as well.
    inHost('mount', '--bind', '/bin/false', CONTAINERD);
    process.kill(containerd(), 'SIGKILL');
    expect(await exitOf(['/bin/true'])).toMatchObject({
      status: null,
      reason: 'creating_container_error',
      message: expect.stringContaining('containerd.sock'),
      host_fault: 'runtime',
    });
    expect(await check()).toEqual({
      status: 'failure',
      message: expect.stringContaining('containerd, which runs the containers of Docker, does not'),
    });
    inHost('umount', CONTAINERD);
    while ((await check()).status !== 'healthy') await delay(200);
    expect(await exitOf(['/bin/true'])).toMatchObject({ status: 0, reason: null });
  });

  it('a hung containerd fails the check of the executor', async () => {
    const pid = containerd();
    process.kill(pid, 'SIGSTOP');
    try {
      expect(await check()).toEqual({
        status: 'failure',
        message: expect.stringContaining('its storage or containerd hangs'),
      });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    expect(await exitOf(['/bin/true'])).toMatchObject({ status: 0, reason: null });
  });

  it('a removed bridge fails starts as a fault of the host', async () => {
    inHost('ip', 'link', 'delete', 'docker0');
    expect(await exitOf(['/bin/true'])).toMatchObject({
      status: null,
      reason: 'creating_container_error',
      message: expect.stringContaining('could not find bridge docker0'),
      host_fault: 'network',
    });
  });

  it('a broken runc fails starts as a fault of the host', async () => {
    inHost('mount', '--bind', '/bin/false', '/usr/sbin/runc');
    expect(await exitOf(['/bin/true'])).toMatchObject({ host_fault: 'runtime' });
  });

  it('a killed shim interrupts its job', async () => {
    const spec = jobSpec([], { shell_commands: null, commands: ['/bin/sh', '-c', SLEEPING] });
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    const { State } = await engine.docker.getContainer(`dstack-${spec.id}`).inspect();
    process.kill(parentOf(String(State.Pid)), 'SIGKILL');
    const { state } = await stream.whole(spec.id);
    expect(state.exit).toMatchObject({
      ...{ status: 137, reason: 'interrupted_by_no_capacity', host_fault: 'runtime' },
      message: expect.stringContaining('containerd shim'),
    });
  });

  it.each([
    ['a missing program', { commands: ['/nope'] }, 127],
    ['a program that is none', { commands: ['/etc/passwd'] }, 126],
    ['a working directory that is a file', { working_dir: '/etc/passwd' }, null],
    ['a mount over a file', { mounts: [MOUNT] }, null],
  ])('%s is a fault of the job', async (_, mistake, status) => {
    const exit = await exitOf(['/bin/true'], mistake);
    expect(exit?.status ?? null).toBe(status);
    expect(exit?.host_fault ?? null).toBeNull();
  });
});

function parentOf(pid: string): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    // It has ended meanwhile.
    return 0;
  }
}
