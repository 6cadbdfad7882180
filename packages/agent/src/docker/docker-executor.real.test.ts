import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentHarness, jobSpec, jobUser } from '../testing/agent-harness.ts';
import { TestStream } from '../testing/test-stream.ts';

const missing = dockerMissing();
if (missing) console.warn(`Docker executor is NOT tested: ${missing} is missing`);

const IMAGE = 'busybox:test';

/** The output of a program, whether it succeeds or fails. */
function readOutput(file: string, args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(file, [...args], { timeout: 5000 }, (_, stdout) => resolve(stdout));
    child.stdin?.end(input);
  });
}

function shell(script: string, more: Parameters<typeof jobSpec>[1] = {}) {
  const commands = ['/bin/sh', '-c', script];
  return jobSpec([], { shell_commands: null, image_name: IMAGE, commands, ...more });
}

describe.skipIf(missing !== null)('the Docker executor', () => {
  let engine: TestDocker;
  let agent: AgentHarness;
  let stream: TestStream;
  beforeAll(async () => {
    engine = await startDocker();
    await engine.busybox(IMAGE);
    await engine.busybox('busybox:own', [
      'CMD ["/bin/echo","from the image"]',
      'USER alice',
      'WORKDIR /tmp',
    ]);
  });
  afterAll(() => engine.close());
  beforeEach(async () => {
    agent = new AgentHarness(['--executor', 'docker'], { DOCKER_HOST: engine.host });
    await agent.start();
    stream = await agent.connect();
  });
  afterEach(async () => {
    await stream.close();
    await agent.dispose();
    for (const { Id } of await engine.docker.listContainers({ all: true })) {
      await engine.docker.getContainer(Id).remove({ force: true });
    }
  });

  it('runs a job in a container with its environment and exit code', async () => {
    const spec = shell('tty; hostname; echo "$GREETING $HOME $DSTACK_JOB_ID"; pwd; exit 7', {
      env: { GREETING: 'hello' },
    });
    await agent.put(spec);
    const { state, text } = await stream.whole(spec.id);
    expect(text).toBe(`/dev/pts/0\r\ntest-run\r\nhello /root ${spec.id}\r\n/\r\n`);
    expect(state).toMatchObject({ exit: { status: 7, reason: null }, working_dir: '/' });
    expect(state).toMatchObject({ username: 'root' });
    expect(stream.states(spec.id).map((each) => each.phase)).toContain('pulling');
    expect((await agent.call('DELETE', `/v1/jobs/${spec.id}`)).status).toBe(204);
    expect(await engine.docker.listContainers({ all: true })).toEqual([]);
  });

  it("runs the image's own command as its own user when the run has none", async () => {
    const spec = jobSpec([], { shell_commands: null, image_name: 'busybox:own' });
    await agent.put(spec);
    const { state, text } = await stream.whole(spec.id);
    expect(text).toBe('from the image\r\n');
    expect(state).toMatchObject({ username: 'alice', working_dir: '/tmp', exit: { status: 0 } });
  });

  it('becomes the user that the run names, with a separate directory', async () => {
    const spec = shell('id; echo $HOME; touch here && echo written; cat /dstack/mpi/hostfile', {
      user: jobUser({ username: 'alice' }),
      working_dir: '~/new/place',
    });
    await agent.put(spec);
    const { state, text } = await stream.whole(spec.id);
    expect(text).toMatch(/uid=1000\(alice\) gid=1000\(alice\) groups=.*44\(video\)/);
    expect(text).toContain('/home/alice\r\nwritten\r\n');
    expect(state).toMatchObject({ working_dir: '/home/alice/new/place', exit: { status: 0 } });
  });

  it('gives login shells the environment of the job', async () => {
    const spec = shell(`env -i /bin/sh -l -c 'echo "$QUOTED|$FROM_IMAGE"; pwd'`, {
      env: { QUOTED: "it's" },
      working_dir: '/tmp',
    });
    await agent.put(spec);
    expect((await stream.whole(spec.id)).text).toBe("it's|1\r\n/tmp\r\n");
  });

  it('passes the limits of the run to the Engine', async () => {
    const spec = shell('echo ready; sleep 1000', {
      cpu_limit: 0.5,
      memory_limit_bytes: 64 * 1024 * 1024,
      shm_size_bytes: 32 * 1024 * 1024,
    });
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    const { HostConfig, Config } = await engine.docker.getContainer(`dstack-${spec.id}`).inspect();
    expect(HostConfig).toMatchObject({
      NanoCpus: 5e8,
      Memory: 64 * 1024 * 1024,
      ShmSize: 32 * 1024 * 1024,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '256m', 'max-file': '4' } },
      Init: true,
    });
    expect(Config.Labels).toMatchObject({ 'ai.dstack.job-id': spec.id });
    await agent.stop(spec.id, false);
    expect((await stream.whole(spec.id)).state.exit?.status).toBe(137);
  });

  it("reports that memory ran out, in any order of the Engine's events", async () => {
    const memory = { memory_limit_bytes: 16 * 1024 * 1024 };
    const scripts = ['exec tail /dev/zero', 'tail /dev/zero; exit 3'];
    const specs = [...scripts, ...scripts].map((script) => shell(script, memory));
    const others = ['kill -9 $PPID; kill -9 $$', 'exit 4'].map((script) => shell(script, memory));
    await Promise.all([...specs, ...others].map((spec) => agent.put(spec)));
    for (const [index, spec] of specs.entries()) {
      const { exit } = (await stream.whole(spec.id)).state;
      expect(exit).toMatchObject({ status: [137, 3][index % 2], message: 'Out of memory' });
    }
    for (const spec of others) {
      expect((await stream.whole(spec.id)).state.exit?.message).toBeNull();
    }
  });

  it("fails with the Engine's message", async () => {
    const bad = shell('', { commands: ['/no/such/program'] });
    await agent.put(bad);
    const { state, text } = await stream.whole(bad.id);
    expect(state.exit).toMatchObject({ status: 127, reason: null });
    expect(text).toContain('/no/such/program');
    const none = shell('true', { image_name: '127.0.0.1:1/none:1' });
    await agent.put(none);
    const { exit } = (await stream.whole(none.id)).state;
    expect(exit).toMatchObject({ status: null, reason: 'creating_container_error' });
    expect(exit?.message).toMatch(/^pullImage error: .*connection refused/);
  });

  it('mounts directories of the host into a job, and creates missing ones unless they are optional', async () => {
    const host = mkdtempSync(join(tmpdir(), 'host-'));
    const [there, made, absent] = ['there', 'deep/made', 'absent'].map((name) =>
      join(host, name),
    ) as [string, string, string];
    mkdirSync(there);
    writeFileSync(join(there, 'file'), 'of the host');
    const mount = (source: string, target: string, optional = false) => {
      return { source, target, read_only: false, optional, volume: null };
    };
    const mounts = [
      mount(there, '/data'),
      mount(made, '/made'),
      mount(absent, '/absent', true),
      mount(there, '/again/by another name', true),
    ];
    const script =
      'cat /data/file; echo new > /made/file; ls /absent; cat "/again/by another name/file"';
    const spec = shell(script, { mounts, user: jobUser({ username: 'alice' }) });
    await agent.put(spec);
    const { text } = await stream.whole(spec.id);
    const notice = `[dstack: the optional volume ${absent}:/absent is left out, since ${absent} does not exist on the host]\r\n`;
    expect(text.slice(0, notice.length)).toBe(notice);
    expect(text.slice(notice.length)).toMatch(
      /^of the hostls: \/absent: No such file.*\r\nof the host$/,
    );
    expect(readFileSync(join(made, 'file'), 'utf8')).toBe('new\n');
    expect(existsSync(absent)).toBe(false);
    rmSync(host, { recursive: true });
  });

  it('does not mount the directory of the agent', async () => {
    const mount = {
      source: agent.state,
      target: '/x',
      read_only: true,
      optional: false,
      volume: null,
    };
    const spec = shell('ls /x', { mounts: [mount] });
    await agent.put(spec);
    expect((await stream.whole(spec.id)).state.exit?.message).toContain('cannot be mounted');
  });

  it('ends a job whose directory of the host cannot be made', async () => {
    const source = '/proc/no-such-folder/inner/most';
    const spec = shell('ls /x', {
      mounts: [{ source, target: '/x', read_only: false, optional: false, volume: null }],
    });
    await agent.put(spec);
    expect((await stream.whole(spec.id)).state.exit?.message).toContain('/proc/no-such-folder');
  });

  it('sends Ctrl-C to the foreground', async () => {
    const spec = shell('trap "echo caught; exit 5" INT; echo ready; while :; do sleep 0.1; done');
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    await agent.stop(spec.id, true);
    const { state, text } = await stream.whole(spec.id);
    expect(text).toContain('caught');
    expect(state.exit).toMatchObject({ status: 5, reason: 'terminated_by_user' });
  });

  it.each([
    'sleep 1000 | cat',
    'while true; do sleep 1; done',
    'trap "exit 130" INT; sleep 1000 | cat',
  ])('ends at Ctrl-C in an interactive shell that runs: %s', async (script) => {
    const commands = ['/bin/sh', '-i', '-c', `echo ready && ${script}`];
    const spec = shell('', { commands });
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    await agent.stop(spec.id, true);
    const { state } = await stream.whole(spec.id);
    expect(state).toMatchObject({ stop_stage: 'interrupt', exit: { status: 130 } });
  });

  it('loses no byte of a flood', async () => {
    const spec = shell('seq 1 200000');
    await agent.put(spec);
    const { text } = await stream.whole(spec.id);
    const lines = text.split('\r\n').slice(0, -1);
    expect(lines).toHaveLength(200_000);
    expect(lines.every((line, index) => line === String(index + 1))).toBe(true);
  });

  it('loses no output and no exit code when the agent is killed', async () => {
    const specs = [0, 1, 2].map((job) =>
      shell(
        `i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo "same"; echo "job${job} $i"; usleep 5000; done; exit ${job}`,
        { notices: ['printed by us'] },
      ),
    );
    await Promise.all(specs.map((spec) => agent.put(spec)));
    for (let kill = 0; kill < 4; kill++) {
      await delay(100 + Math.random() * 500);
      stream = await agent.restartAfterKill(stream);
    }
    for (const [job, spec] of specs.entries()) {
      const { state, text } = await stream.whole(spec.id);
      expect(state.exit).toMatchObject({ status: job, reason: null });
      const expected = Array.from({ length: 400 }, (_, i) => `same\r\njob${job} ${i + 1}\r\n`);
      expect(text).toBe(`[dstack: printed by us]\r\n${expected.join('')}`);
    }
  });

  it('shows unfinished lines again some time after a restart', async () => {
    const spec = shell('echo first; read a; echo second; read b; printf "prompt: "; read c');
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('first'));
    stream = await agent.restartAfterKill(stream);
    const container = engine.docker.getContainer(`dstack-${spec.id}`);
    const stdin = await container.attach({ stream: true, stdin: true, hijack: true });
    // The attached connection takes over after a line that both copies contain.
    await vi.waitUntil(() => agent.log.includes('attached again'), { timeout: 30_000 });
    stdin.write('\n');
    await stream.until(() => stream.text(spec.id).includes('second'));
    await vi.waitUntil(() => agent.log.includes('taken over'), { timeout: 30_000 });
    stdin.write('\n');
    await stream.until(() => stream.text(spec.id).endsWith('prompt: '));
    stdin.end();
    await agent.stop(spec.id, false);
    await stream.whole(spec.id);
  });

  it("reaches the container's loopback over SSH, on the same port after a restart", async () => {
    const keyPath = join(agent.dir, 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keyPath]);
    const user = [readFileSync(`${keyPath}.pub`, 'utf8')];
    const script = "echo 'from inside' > /tmp/x; exec httpd -f -p 127.0.0.1:8000 -h /tmp";
    const spec = shell(script, { authorized_keys: { user, project: [], job: [] } });
    await agent.put(spec);
    await stream.until(() => stream.state(spec.id)?.phase === 'running');
    const port = stream.state(spec.id)?.ssh_port;
    const read = () => {
      const options = [
        'StrictHostKeyChecking=no',
        'UserKnownHostsFile=/dev/null',
        'LogLevel=ERROR',
      ];
      const args = ['-F', 'none', '-i', keyPath, ...options.flatMap((option) => ['-o', option])];
      const target = ['-p', String(port), '-W', '127.0.0.1:8000', 'root@127.0.0.1'];
      return readOutput('ssh', [...args, ...target], 'GET /x HTTP/1.0\r\n\r\n');
    };
    await vi.waitUntil(async () => (await read()).endsWith('from inside\n'), { timeout: 10_000 });
    stream = await agent.restartAfterKill(stream);
    await stream.until(() => stream.state(spec.id)?.phase === 'running');
    await vi.waitUntil(async () => (await read()).endsWith('from inside\n'), { timeout: 10_000 });
    expect(stream.state(spec.id)?.ssh_port).toBe(port);
    await agent.stop(spec.id, false);
    await stream.whole(spec.id);
  });

  it('uses the network of the host on request', async () => {
    const spec = shell('cat /proc/net/dev', { network_mode: 'host' });
    await agent.put(spec);
    const { state, text } = await stream.whole(spec.id);
    expect(text).toContain('docker0');
    expect(state.container_ip).toBeNull();
  });

  it('removes containers that belong to no job of its own, and no others', async () => {
    const spec = shell('sleep 1000');
    await agent.put(spec);
    await stream.until(() => stream.state(spec.id)?.phase === 'running');
    const { Config } = await engine.docker.getContainer(`dstack-${spec.id}`).inspect();
    const stray = { Image: IMAGE, Cmd: ['true'] };
    const own = { ...Config.Labels, 'ai.dstack.job-id': 'gone' };
    await engine.docker.createContainer({ ...stray, name: 'stray-own', Labels: own });
    await engine.docker.createContainer({ ...stray, name: 'stray-other' });
    stream = await agent.restartAfterKill(stream);
    const names = (await engine.docker.listContainers({ all: true })).flatMap((each) => each.Names);
    expect(names.sort()).toEqual([`/dstack-${spec.id}`, '/stray-other']);
    await agent.stop(spec.id, false);
    await stream.whole(spec.id);
  });

  it('detects what happened to jobs while it did not run', async () => {
    const ends = shell('echo before; sleep 0.5; echo after; exit 9');
    const lost = shell('sleep 1000');
    for (const spec of [ends, lost]) await agent.put(spec);
    await stream.until(() => stream.state(lost.id)?.phase === 'running');
    await stream.until(() => stream.text(ends.id).includes('before'));
    const logs = stream.logs;
    await agent.end('SIGKILL');
    await engine.docker.getContainer(`dstack-${ends.id}`).wait();
    await engine.docker.getContainer(`dstack-${lost.id}`).remove({ force: true });
    await agent.start();
    stream = await TestStream.open(agent.socket, agent.token, 'server-1', logs);
    const { state, text } = await stream.whole(ends.id);
    expect(text).toBe('before\r\nafter\r\n');
    expect(state.exit).toMatchObject({ status: 9 });
    const removed = { reason: 'interrupted_by_no_capacity', host_fault: 'job_lost' };
    expect((await stream.whole(lost.id)).state.exit).toMatchObject(removed);
  });
});
