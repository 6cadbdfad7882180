import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobExit } from '@dstack/contract/agent';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentHarness, jobSpec } from '../testing/agent-harness.ts';
import type { TestStream } from '../testing/test-stream.ts';

const missing = dockerMissing();
if (missing) console.warn(`The watch on the Docker daemon is NOT tested: ${missing} is missing`);

/** A proxy in front of a daemon. It can delay pings and cut connections. */
class DaemonProxy {
  readonly path = join(mkdtempSync(join(tmpdir(), 'proxy-')), 'docker.sock');
  pingDelayMs = 0;
  pings = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(target: string) {
    this.#server = createServer((client) => this.#serve(client, target)).listen(this.path);
  }

  /** Closes every connection and continues to accept new ones. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.cut();
    rmSync(join(this.path, '..'), { recursive: true });
  }

  #serve(client: Socket, target: string): void {
    const daemon = connect(target);
    for (const [from, to] of [
      [client, daemon],
      [daemon, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    daemon.pipe(client);
    client.on('data', async (data) => {
      if (String(data).includes('/_ping')) {
        this.pings += 1;
        await delay(this.pingDelayMs);
      }
      daemon.write(data);
    });
    client.on('end', () => daemon.end());
  }
}

describe.skipIf(missing !== null)('a job that is killed', () => {
  let engine: TestDocker;
  let proxy: DaemonProxy;
  let agent: AgentHarness;
  let stream: TestStream;
  beforeEach(async () => {
    engine = await startDocker();
    await engine.busybox('busybox:test');
    proxy = new DaemonProxy(engine.socket);
    agent = new AgentHarness(['--executor', 'docker'], { DOCKER_HOST: `unix://${proxy.path}` });
    await agent.start();
    stream = await agent.connect();
  });
  afterEach(async () => {
    await stream.close();
    await agent.dispose();
    proxy.close();
    await engine.close();
  });

  /** The exit of a job that kills itself after `meanwhile`. */
  async function endOf(meanwhile: () => unknown): Promise<JobExit | null> {
    const commands = ['/bin/sh', '-c', 'echo ready; read line; kill -9 $PPID; exit 137'];
    const spec = jobSpec([], { shell_commands: null, commands });
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    await meanwhile();
    const container = engine.docker.getContainer(`dstack-${spec.id}`);
    const input = await container.attach({ stream: true, hijack: true, stdin: true });
    input.on('error', () => {});
    input.write('go\n');
    const { state } = await stream.whole(spec.id);
    input.end();
    return state.exit;
  }

  async function sleeping(how = 'sleep 1000') {
    const commands = ['/bin/sh', '-c', `echo ready; ${how}`];
    const spec = jobSpec([], { shell_commands: null, commands });
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    return spec;
  }

  const byItself = { status: 137, reason: null, message: null };

  it('is not reported as ended with its daemon when the daemon answers late', async () => {
    const exit = await endOf(() => {
      proxy.pings = 0;
      proxy.pingDelayMs = 3000;
    });
    expect(exit).toEqual(byItself);
    expect(proxy.pings).toBeGreaterThan(0);
  });

  it('is not reported as ended with its daemon when connections to the daemon are cut', async () => {
    expect(await endOf(() => proxy.cut())).toEqual(byItself);
  });

  it('is reported as ended with its daemon when the daemon is stopped, however late it answers', async () => {
    const spec = jobSpec([], {
      shell_commands: null,
      commands: ['/bin/sh', '-c', 'echo ready; sleep 1000'],
    });
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    proxy.pingDelayMs = 3000;
    await engine.restart();
    const { state } = await stream.whole(spec.id);
    expect(state.exit).toMatchObject({
      reason: 'interrupted_by_no_capacity',
      message: expect.stringMatching(/Docker daemon .* stopped/),
      host_fault: 'daemon_stopped',
    });
  });

  it('is reported as ended with its daemon when the daemon restarts while no agent runs', async () => {
    const spec = await sleeping();
    await stream.close();
    await agent.end('SIGKILL');
    await engine.restart();
    await agent.start();
    stream = await agent.connect();
    const { state } = await stream.whole(spec.id);
    expect(state.exit).toMatchObject({
      reason: 'interrupted_by_no_capacity',
      host_fault: 'daemon_stopped',
    });
  });

  it('is reported as interrupted by the host when another program removes its container', async () => {
    const spec = await sleeping();
    await engine.docker.getContainer(`dstack-${spec.id}`).remove({ force: true });
    const { state } = await stream.whole(spec.id);
    expect(state.exit).toMatchObject({
      reason: 'interrupted_by_no_capacity',
      message: expect.stringContaining('removed the container'),
      host_fault: 'container_removed',
    });
  });

  it('is reported as interrupted when its container was removed while no agent ran', async () => {
    const spec = await sleeping();
    await stream.close();
    await agent.end('SIGKILL');
    await engine.docker.getContainer(`dstack-${spec.id}`).remove({ force: true });
    await agent.start();
    stream = await agent.connect();
    const { state } = await stream.whole(spec.id);
    expect(state.exit).toMatchObject({
      reason: 'interrupted_by_no_capacity',
      host_fault: 'job_lost',
    });
  });

  it('is believed when it ended with success while no agent ran', async () => {
    const spec = await sleeping('read line');
    await stream.close();
    await agent.end('SIGKILL');
    const container = engine.docker.getContainer(`dstack-${spec.id}`);
    const input = await container.attach({ stream: true, hijack: true, stdin: true });
    input.on('error', () => {});
    input.write('go\n');
    await container.wait();
    input.end();
    await agent.start();
    stream = await agent.connect();
    const { state } = await stream.whole(spec.id);
    expect(state.exit).toEqual({ status: 0, reason: null, message: null });
  });

  it('cannot start on a daemon that hangs, which is a fault of the host', async () => {
    process.kill(engine.pid, 'SIGSTOP');
    try {
      const spec = jobSpec([], { shell_commands: null, commands: ['/bin/true'] });
      await agent.put(spec);
      const { state } = await stream.whole(spec.id);
      expect(state.exit).toMatchObject({
        status: null,
        reason: 'creating_container_error',
        message: expect.stringContaining('has not answered for 30 seconds'),
        host_fault: 'daemon_hung',
      });
    } finally {
      process.kill(engine.pid, 'SIGCONT');
    }
  });
});
