import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { INITIAL_CREDIT } from '@dstack/contract/agent';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startAgent } from './agent.ts';
import { JobFolder } from './executor/job-folder.ts';
import { placeJobFiles } from './files/place-job-files.ts';
import { createEventLogger } from './host/log.ts';
import { openJobAccess } from './job-ssh.ts';
import { Owner } from './owner.ts';
import { ProcessExecutor } from './process/process-executor.ts';
import { AgentHarness, callAgent, jobSpec } from './testing/agent-harness.ts';
import { TestStream } from './testing/test-stream.ts';

const run = promisify(execFile);

let agent: AgentHarness;
beforeEach(async () => {
  agent = new AgentHarness();
  await agent.start();
});
afterEach(() => agent.dispose());

describe('a job of the process executor', () => {
  it('sends its phases, its output and its exit code over the stream', async () => {
    const stream = await agent.connect();
    const spec = jobSpec(['echo hello $NAME', 'exit 3'], { env: { NAME: 'world' } });
    const answer = await agent.put(spec);
    expect(answer).toMatchObject({ status: 200, body: { missing: { archives: [], code: false } } });
    const { state, text } = await stream.whole(spec.id);
    expect(state).toMatchObject({ exit: { status: 3, reason: null }, log_end: text.length });
    expect(text).toContain('hello world\r\n');
    expect(stream.states(spec.id).map((each) => each.phase)).toEqual(
      expect.arrayContaining(['accepted', 'preparing', 'starting', 'running', 'exited']),
    );
    const numbers = stream.frames.flatMap((frame) => (frame.type === 'state' ? [frame.n] : []));
    expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
    await stream.close();
  });

  it('answers a repeated PUT with the present state and does not run twice', async () => {
    const stream = await agent.connect();
    const spec = jobSpec(['echo once']);
    await agent.put(spec);
    await agent.put(spec);
    await stream.whole(spec.id);
    const again = await agent.put(spec);
    expect(again.body.state).toMatchObject({ phase: 'exited', exit: { status: 0 } });
    expect(stream.text(spec.id).match(/once/g)).toHaveLength(1);
    expect(await agent.call('DELETE', `/v1/jobs/${spec.id}`)).toMatchObject({ status: 204 });
    expect(await agent.call('DELETE', `/v1/jobs/${spec.id}`)).toMatchObject({ status: 204 });
    expect((await agent.put(spec)).body.state).toMatchObject({ phase: 'exited' });
    await stream.close();
  });
});

describe('the keys of a job’s users', () => {
  const login = (port: number, key: string) =>
    run('ssh', [
      ...['-F', '/dev/null', '-i', join(agent.dir, key), '-p', String(port)],
      ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
      ...['-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none', 'root@127.0.0.1', 'echo inside'],
    ]).then(
      ({ stdout }) => stdout.trim(),
      (error) => (String(error.stderr).includes('Permission denied') ? 'refused' : String(error)),
    );

  it('are replaced while it runs, for the next agent too', async () => {
    const keys: Record<string, string> = {};
    for (const name of ['old', 'new']) {
      const file = join(agent.dir, name);
      await run('ssh-keygen', ['-q', '-N', '', '-t', 'ed25519', '-f', file]);
      keys[name] = readFileSync(`${file}.pub`, 'utf8');
    }
    const stream = await agent.connect();
    const authorized_keys = { user: [keys.old!], project: [], job: [] };
    const spec = jobSpec(['sleep 600'], { authorized_keys });
    await agent.put(spec);
    const running = await stream.until(
      () => stream.state(spec.id)?.phase === 'running' && stream.state(spec.id),
    );
    const before = running.ssh_port!;
    expect([await login(before, 'old'), await login(before, 'new')]).toEqual(['inside', 'refused']);
    const unknown = '00000000-0000-4000-8000-000000000000';
    const jobs = { [spec.id]: [keys.new!], [unknown]: [keys.old!] };
    expect((await agent.call('PUT', '/v1/keys', { jobs })).status).toBe(204);
    expect([await login(before, 'old'), await login(before, 'new')]).toEqual(['refused', 'inside']);
    const next = await agent.restartAfterKill(stream);
    const port = next.state(spec.id)?.ssh_port ?? before;
    await vi.waitFor(async () => expect(await login(port, 'new')).toBe('inside'));
    expect(await login(port, 'old')).toBe('refused');
    // A server that lost the answer to its `PUT` repeats it with the present keys.
    await agent.put(spec);
    expect([await login(port, 'old'), await login(port, 'new')]).toEqual(['inside', 'refused']);
    await next.close();
  });

  it('are unchanged by a command that is not a list of keys', async () => {
    for (const jobs of [{ a: 'ssh-rsa AAAA' }, { a: [1] }, ['x'], null]) {
      const { status, body } = await agent.call('PUT', '/v1/keys', { jobs });
      expect([status, body.code]).toEqual([400, 'bad_request']);
    }
  });
});

it('an agent without access through the sshd of its host opens no shells', async () => {
  const { status } = await agent.call('PUT', '/v1/host-shell', { keys: [], valid_for: 60 });
  expect(status).toBe(404);
});

describe('files of a deleted job', () => {
  it('keep no agent from starting when they cannot be removed', async () => {
    const stream = await agent.connect();
    const spec = jobSpec(['echo over']);
    await agent.put(spec);
    await stream.whole(spec.id);
    await stream.close();
    await agent.call('DELETE', `/v1/jobs/${spec.id}`);
    await agent.end('SIGKILL');
    // A folder in place of the socket stands for a mount or an immutable file, which only root can
    // create.
    mkdirSync(new JobFolder(join(agent.state, 'jobs'), spec.id, agent.dir).socket('s'));
    await agent.start();
    await vi.waitFor(() => expect(agent.log).toContain('the leftovers of a job were not removed'));
    expect((await agent.put(spec)).body.state).toMatchObject({ phase: 'exited' });
    expect(existsSync(join(agent.state, 'jobs', spec.id, 'spool'))).toBe(false);
  });
});

describe('the log of a job', () => {
  it('waits for credit, and is sent again from the offset that the server requests', async () => {
    const stream = await agent.connect();
    stream.grants = false;
    const spec = jobSpec(['yes 0123456789 | head -c 3000000', 'echo; echo end']);
    await agent.put(spec);
    await stream.until(() => stream.state(spec.id)?.phase === 'exited');
    await stream.until(() => stream.text(spec.id).length === INITIAL_CREDIT);
    // A state is sent although the log is blocked.
    const other = jobSpec(['true']);
    await agent.put(other);
    await stream.until(() => stream.state(other.id)?.phase === 'exited');
    expect(stream.text(spec.id)).toHaveLength(INITIAL_CREDIT);
    stream.logs.set(spec.id, Buffer.alloc(0));
    stream.grants = true;
    stream.send({ type: 'rewind', id: spec.id, offset: 0 });
    expect((await stream.whole(spec.id)).text).toContain('end\r\n');
    await stream.close();
  });

  it('is sent when it can be read again', async () => {
    const first = await agent.connect();
    const spec = jobSpec(['echo hello']);
    await agent.put(spec);
    await first.whole(spec.id);
    await first.close();
    const spool = join(agent.state, 'jobs', spec.id, 'spool');
    const log = join(spool, readdirSync(spool).find((name) => name.endsWith('.log')) ?? '');
    renameSync(log, `${log}.away`);
    mkdirSync(log);
    const second = await agent.connect();
    await expect.poll(() => agent.log).toContain('reading a log failed');
    rmdirSync(log);
    renameSync(`${log}.away`, log);
    expect((await second.whole(spec.id)).text).toContain('hello');
    await second.close();
  });

  it('is sent to a server that had forgotten the job and puts it again', async () => {
    const first = await agent.connect();
    const spec = jobSpec(['echo remembered']);
    await agent.put(spec);
    await first.whole(spec.id);
    await first.close();
    const second = await TestStream.open(agent.socket, agent.token, 'server-1', new Map(), []);
    await agent.put(spec);
    expect((await second.whole(spec.id)).text).toContain('remembered');
    await second.close();
  });
});

describe('the protocol', () => {
  it('refuses a wrong token, on requests and on the stream', async () => {
    expect(await agent.call('GET', '/v1/info', undefined, 'other')).toMatchObject({ status: 401 });
    expect((await TestStream.open(agent.socket, 'other', 's')).closeCode).not.toBeNull();
  });

  it('names the field of a bad spec, and unknown jobs', async () => {
    const spec = { ...jobSpec(['true']), env: { A: 1 } } as never;
    const answer = await agent.put(spec);
    expect(answer).toMatchObject({ status: 400, body: { code: 'bad_request' } });
    expect(answer.body.message).toContain('env');
    const { id } = jobSpec([]);
    const unknown = await agent.call('GET', `/v1/jobs/${id}`);
    expect(unknown).toMatchObject({ status: 404, body: { code: 'unknown_job' } });
  });

  it('reports the host and its owner', async () => {
    const stream = await agent.connect('server-7');
    const hello = stream.frames[0];
    expect(hello).toMatchObject({ type: 'hello', info: { executor: 'process', server_id: null } });
    await stream.until(() => stream.frames.length > 1);
    const spec = jobSpec(['true']);
    await agent.put(spec);
    await stream.whole(spec.id);
    const { body } = await agent.call('GET', '/v1/info');
    expect(body).toMatchObject({ server_id: 'server-7', protocol: { min: 1, max: 1 } });
    expect(body.host.cpus).toBeGreaterThan(0);
    const other = await agent.connect('server-8');
    await other.until(() => other.closeCode);
    expect(other.closeCode).toBe(4003);
    await stream.close();
  });

  it('belongs to one server until another takes it over', async () => {
    await agent.end('SIGTERM');
    await agent.start('--server-id', 'one');
    const refused = agent.spawn('--server-id', 'two');
    expect((await once(refused, 'exit'))[0]).toBe(3);
    const old = agent.ended();
    await agent.start('--server-id', 'two', '--takeover');
    expect(await old).toBe(0);
    expect((await agent.call('GET', '/v1/info')).body.server_id).toBe('two');
  });

  it('is replaced by another one on its directory, even when it is stuck', async () => {
    const spec = jobSpec(['sleep 600']);
    const stream = await agent.connect();
    await agent.put(spec);
    await stream.until(() => stream.state(spec.id)?.phase === 'running');
    await stream.close();
    const refused = agent.spawn();
    expect((await once(refused, 'exit'))[0]).toBe(4);
    const old = agent.ended();
    process.kill(agent.pid, 'SIGSTOP');
    await agent.start('--replace');
    expect(await old).toBeNull();
    expect((await agent.put(spec)).body.state).toMatchObject({ phase: 'running' });
  });

  it.each([
    ['again and again', 20, 3],
    ['twice soon after their start, however long a period is', 3_600_000, 2],
  ])('reports what running jobs use %s', async (_, metricsMs, points) => {
    const state = join(agent.dir, 'other');
    mkdirSync(state);
    const socket = join(agent.dir, 'other.sock');
    const log = createEventLogger(() => {});
    const setup = { stateDir: state, socket, diskPath: state, version: '1', exitWhenIdle: null };
    const running = await startAgent({
      openShells: null,
      token: 'token',
      ...setup,
      executor: new ProcessExecutor({ placeFiles: placeJobFiles }),
      devices: { unmount: async () => {} },
      jobHomes: null,
      owner: new Owner(state),
      openAccess: openJobAccess(state, log),
      metricsMs,
      healthMs: null,
      log,
      onIdle: () => {},
      onLeaseEnd: () => {},
    });
    const stream = await TestStream.open(socket, 'token', 'server-1');
    const spec = jobSpec(['sleep 1000']);
    const path = `/v1/jobs/${spec.id}`;
    await callAgent(socket, 'token', 'PUT', path, spec);
    const metrics = await stream.until(() => {
      const found = stream.frames.flatMap((each) =>
        each.type === 'metrics' ? [each.metrics] : [],
      );
      return found.length >= points && found;
    });
    expect(metrics.at(-1)?.memory_usage_bytes).toBeGreaterThan(0);
    // Counted from the start of the job, so it never decreases.
    const used = metrics.map((point) => point.cpu_usage_micro);
    expect(used).toEqual(used.toSorted((a, b) => a - b));
    if (metricsMs < 1000) {
      await stream.until(() => stream.frames.find((each) => each.type === 'activity'));
    }
    await callAgent(socket, 'token', 'POST', `${path}/stop`, {
      grace: false,
      reason: 'aborted_by_user',
      message: null,
    });
    await stream.whole(spec.id);
    await stream.close();
    await running.close();
  });

  it('lets only one agent run on a state directory', async () => {
    const second = agent.spawn();
    const [code] = await once(second, 'exit');
    expect(code).toBe(4);
  });
});
