import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentHarness, jobSpec, jobUser } from '../testing/agent-harness.ts';
import type { TestStream } from '../testing/test-stream.ts';
import type { SupervisorRecord } from './supervisor-files.ts';

let agent: AgentHarness;
let stream: TestStream;
beforeEach(async () => {
  agent = new AgentHarness();
  await agent.start();
  stream = await agent.connect();
});
afterEach(async () => {
  await stream.close();
  await agent.dispose();
});

/** Returns its record from before. */
function killSupervisor(id: string): SupervisorRecord {
  const path = join(agent.state, 'jobs', id, 'supervisor.json');
  const record: SupervisorRecord = JSON.parse(readFileSync(path, 'utf8'));
  process.kill(record.supervisor.pid, 'SIGKILL');
  return record;
}

describe('output', () => {
  it('is complete and in order when a job prints a lot', async () => {
    const spec = jobSpec(['seq 1 400000']);
    await agent.put(spec);
    const { text } = await stream.whole(spec.id);
    const numbers = text.split('\r\n').slice(0, 400_000);
    expect(numbers.every((line, index) => line === String(index + 1))).toBe(true);
  });

  it('shows an unfinished line while the job waits', async () => {
    const spec = jobSpec(["printf 'continue? '", 'sleep 100']);
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).endsWith('continue? '));
    await agent.stop(spec.id, false);
    expect((await stream.whole(spec.id)).state.exit).toMatchObject({ status: 137 });
  });

  it('keeps characters intact that are written byte by byte', async () => {
    const spec = jobSpec(["printf '\\xe2'", 'sleep 0.2', "printf '\\x82'", "printf '\\xac\\n'"]);
    await agent.put(spec);
    expect((await stream.whole(spec.id)).text).toContain('€\r\n');
  });

  it('never holds a secret, on the wire or on the disk', async () => {
    const spec = jobSpec(["printf 'se'", 'sleep 0.2', 'echo cret; echo sec'], {
      masked_values: ['secret'],
    });
    await agent.put(spec);
    expect((await stream.whole(spec.id)).text).toContain('***\r\nsec\r\n');
  });

  it('runs in a terminal with an own home and directory', async () => {
    const spec = jobSpec([
      'tty',
      'pwd',
      'echo $HOME $DSTACK_JOB_ID',
      'env | grep -c SECRET_OF_AGENT',
    ]);
    await agent.put(spec);
    const { text } = await stream.whole(spec.id);
    expect(text).toContain('/dev/pts/');
    expect(text).toContain(`/jobs/${spec.id}/work\r\n`);
    expect(text).toContain(`/jobs/${spec.id}/home ${spec.id}\r\n`);
  });
});

describe('a directory that cannot be made', () => {
  it('ends the job with its name', async () => {
    const spec = jobSpec(['pwd'], { working_dir: '/proc/no-such-folder/inner' });
    await agent.put(spec);
    const { exit } = (await stream.whole(spec.id)).state;
    expect(exit?.reason).toBe('executor_error');
    expect(exit?.message).toContain('/proc/no-such-folder');
  });
});

describe.skipIf(process.getuid?.() !== 0)('another user', () => {
  it('runs the job in a home and directory of their own', async () => {
    chmodSync(agent.dir, 0o755);
    const spec = jobSpec(['id -un', 'touch ~/x y', 'echo shown > /dev/stderr', 'id -G'], {
      user: jobUser({ username: 'nobody' }),
    });
    await agent.put(spec);
    const { state, text } = await stream.whole(spec.id);
    expect(text).toContain('nobody\r\n');
    expect(text).toContain('shown\r\n');
    expect(state).toMatchObject({ username: 'nobody', exit: { status: 0 } });
  });
});

describe('stopping', () => {
  it('interrupts at once', async () => {
    const spec = jobSpec(['echo ready', 'sleep 1000']);
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    await agent.stop(spec.id, true);
    const { state } = await stream.whole(spec.id);
    expect(state).toMatchObject({
      stop_stage: 'interrupt',
      exit: { reason: 'terminated_by_user' },
    });
  });

  it('goes through all stages when the command ignores them', async () => {
    const script = "trap '' INT TERM HUP; echo ready; while :; do sleep 0.1; done";
    const spec = jobSpec([script], { stop_duration: 0.6, stop_duration_set: true });
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    await agent.stop(spec.id, true);
    const { state } = await stream.whole(spec.id);
    expect(state.exit).toMatchObject({ status: 137, reason: 'terminated_by_user' });
    const stages = stream.states(spec.id).flatMap(({ stop_stage }) => stop_stage ?? []);
    expect([...new Set(stages)]).toEqual(['interrupt', 'terminate', 'kill']);
  });

  it('lets an abort overtake a graceful stop, whose reason stays', async () => {
    const spec = jobSpec(["trap '' INT; echo ready; while :; do sleep 0.1; done"]);
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    await agent.stop(spec.id, true, 'max_duration_exceeded');
    await agent.stop(spec.id, false, 'aborted_by_user');
    const { state } = await stream.whole(spec.id);
    expect(state.exit).toMatchObject({ status: 137, reason: 'max_duration_exceeded' });
  });

  it('ends what a job has left running in other sessions', async () => {
    const spec = jobSpec(['setsid sleep 12345 >/dev/null 2>&1 &', 'sleep 0.2', 'echo $!']);
    await agent.put(spec);
    await stream.whole(spec.id);
    const { treePids } = await import('../host/process-tree.ts');
    const nothing = { unified: null, legacy: {} };
    expect(treePids({ id: spec.id, leader: null, cgroup: nothing })).toEqual([]);
  });

  it('stops a job whose time is over', async () => {
    const spec = jobSpec(['sleep 1000'], { max_duration: 0.3 });
    await agent.put(spec);
    const { state } = await stream.whole(spec.id);
    expect(state.exit).toMatchObject({ reason: 'max_duration_exceeded' });
  });

  it('is interrupted when its supervisor is killed, and leaves nothing behind', async () => {
    const spec = jobSpec(['echo ready', 'sleep 1000']);
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    const { leader, socket } = killSupervisor(spec.id);
    const { state } = await stream.whole(spec.id);
    expect(state.exit).toEqual({
      status: null,
      reason: 'interrupted_by_no_capacity',
      message: 'The process that supervised the job was killed',
    });
    const { isAlive } = await import('../host/process-identity.ts');
    expect([leader && isAlive(leader), existsSync(socket)]).toEqual([false, false]);
  });

  it('ends for the reason of its stop when its supervisor is killed meanwhile', async () => {
    const spec = jobSpec(["trap '' INT; echo ready; while :; do sleep 0.1; done"]);
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    await agent.stop(spec.id, true, 'max_duration_exceeded');
    killSupervisor(spec.id);
    const { state } = await stream.whole(spec.id);
    expect(state.exit).toMatchObject({ status: null, reason: 'max_duration_exceeded' });
  });

  it('ends a job that waits for its uploads', async () => {
    const archive = { id: 'a1', sha256: '0'.repeat(64), path: 'x' };
    const spec = jobSpec(['true'], { file_archives: [archive] });
    expect((await agent.put(spec)).body.missing).toEqual({ archives: ['a1'], code: false });
    expect(await agent.call('DELETE', `/v1/jobs/${spec.id}`)).toMatchObject({
      status: 409,
      body: { code: 'job_alive' },
    });
    const { phase, exit } = await agent.stop(spec.id, true);
    expect({ phase, exit }).toMatchObject({
      phase: 'exited',
      exit: { reason: 'terminated_by_user' },
    });
  });
});

describe('before the start', () => {
  it('refuses an upload with another hash', async () => {
    const body = Buffer.from('content');
    const sha256 = createHash('sha256').update('other').digest('hex');
    const spec = jobSpec(['true'], { file_archives: [{ id: 'a1', sha256, path: 'x' }] });
    await agent.put(spec);
    const answer = await agent.call('PUT', `/v1/jobs/${spec.id}/archives/a1`, body);
    expect(answer).toMatchObject({ status: 400, body: { code: 'hash_mismatch' } });
    expect((await agent.put(spec)).body.missing.archives).toEqual(['a1']);
  });

  it('names a port that is taken', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const spec = jobSpec(['true'], { ports: [port] });
    await agent.put(spec);
    const { state } = await stream.whole(spec.id);
    expect(state.exit).toMatchObject({ status: null, reason: 'ports_binding_failed' });
    expect(state.exit?.message).toContain(String(port));
    taken.close();
  });

  it('holds a node of a cluster until it receives the others', async () => {
    const spec = jobSpec(['echo ips $DSTACK_NODES_IPS', 'cat $DSTACK_MPI_HOSTFILE'], {
      hold: true,
      jobs_per_replica: 2,
    });
    await agent.put(spec);
    await stream.until(() => stream.state(spec.id)?.phase === 'held');
    const cluster = {
      job_ips: ['10.0.0.1', '10.0.0.2'],
      master_job_ip: '10.0.0.1',
      gpus_per_job: 2,
      gpus_per_node: [2, 0],
    };
    await agent.call('POST', `/v1/jobs/${spec.id}/start`, { cluster, commands: null });
    const { text } = await stream.whole(spec.id);
    expect(text).toContain('ips 10.0.0.1 10.0.0.2');
    expect(text).toContain('10.0.0.1 slots=2\r\n10.0.0.2\r\n');
  });
});

describe('an agent that is killed', () => {
  it('loses no exit code and no output, whenever it happens', async () => {
    const specs = Array.from({ length: 4 }, (_, job) =>
      jobSpec([`for i in $(seq 1 300); do echo "job${job} $i"; sleep 0.005; done`, `exit ${job}`]),
    );
    await Promise.all(specs.map((spec) => agent.put(spec)));
    for (let kill = 0; kill < 5; kill++) {
      await delay(50 + Math.random() * 250);
      stream = await agent.restartAfterKill(stream);
    }
    for (const [job, spec] of specs.entries()) {
      const { state, text } = await stream.whole(spec.id);
      expect(state.exit).toEqual({ status: job, reason: null, message: null });
      const numbers = [...text.matchAll(/job\d (\d+)\r\n/g)].map((match) => Number(match[1]));
      expect(numbers).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
    }
  });

  it('runs each command exactly once when it dies during starts', async () => {
    const specs = Array.from({ length: 6 }, (_, job) => jobSpec([`echo started${job}`]));
    for (const spec of specs) {
      const put = agent.put(spec).catch(() => null);
      await delay(Math.random() * 60);
      await agent.end('SIGKILL');
      await put;
      await agent.start();
      await agent.put(spec);
    }
    stream = await agent.connect();
    for (const [job, spec] of specs.entries()) {
      const { state, text } = await stream.whole(spec.id);
      expect(state.exit).toMatchObject({ status: 0 });
      expect(text.match(new RegExp(`started${job}`, 'g'))).toHaveLength(1);
    }
  });

  it('ends a job after its maximum duration', async () => {
    const spec = jobSpec(['echo ready', 'sleep 1000'], { max_duration: 1 });
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    await agent.end('SIGKILL');
    await agent.start();
    stream = await agent.connect();
    expect((await stream.whole(spec.id)).state.exit).toMatchObject({
      reason: 'max_duration_exceeded',
      message: 'Max duration exceeded',
    });
  });

  it('ends by itself when idle, and not while a job lives', async () => {
    // Before that agent starts: it would not wait for its first job.
    const spec = jobSpec(['echo ready', 'sleep 2']);
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    await stream.close();
    await agent.end('SIGTERM');
    await agent.start('--exit-when-idle', '0.1');
    expect(await agent.ended()).toBe(0);
    expect(agent.log).toMatch(/"exited".*\n.*"idle"/);
  });
});
