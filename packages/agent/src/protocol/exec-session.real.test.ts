/** Commands of users in jobs of both executors, by the agent's own program. */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { EXEC_CHANNELS, type ExecOutput } from '@dstack/contract/agent';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { AgentHarness, jobSpec } from '../testing/agent-harness.ts';
import type { TestStream } from '../testing/test-stream.ts';

const IMAGE = 'busybox:test';
const noDocker = dockerMissing();
if (noDocker) console.warn(`Commands in containers are NOT tested: ${noDocker} is missing`);

interface Start {
  readonly argv?: readonly string[];
  readonly command?: string;
  readonly tty?: { readonly term: string; readonly cols: number; readonly rows: number };
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: string;
}

const TTY = { term: 'xterm', cols: 100, rows: 30 };

/** A client of the agent. */
class Exec {
  readonly socket: WebSocket;
  readonly messages: ExecOutput[] = [];
  out = '';
  err = '';
  /** Bytes of output. */
  received = 0;
  readonly closed: Promise<number>;
  readonly opened: Promise<number>;

  constructor(agent: AgentHarness, jobId: string, token = agent.token) {
    this.socket = new WebSocket(`ws://agent/v1/jobs/${jobId}/exec`, {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      createConnection: (() => connect(agent.socket)) as never,
    });
    this.socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) return this.messages.push(JSON.parse(String(data)));
      this.received += data.length - 1;
      const text = data.subarray(1).toString('latin1');
      if (data[0] === EXEC_CHANNELS.stdout) this.out += text;
      else this.err += text;
    });
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.opened = new Promise((resolve) => {
      this.socket.once('open', () => resolve(101));
      this.socket.once('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
    });
  }

  async start(start: Start): Promise<this> {
    expect(await this.opened).toBe(101);
    this.send({ type: 'start', ...start });
    return this;
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  input(bytes: Buffer | string): void {
    this.socket.send(Buffer.concat([Buffer.of(EXEC_CHANNELS.stdin), Buffer.from(bytes)]));
  }

  /** The last message, after the connection has been closed. */
  async end(): Promise<ExecOutput | undefined> {
    await this.closed;
    return this.messages.at(-1);
  }

  until(text: string): Promise<void> {
    return vi.waitFor(() => expect(this.out).toContain(text), { timeout: 15_000, interval: 10 });
  }
}

const EXIT = (status: number, signal: string | null = null) => ({ type: 'exit', status, signal });

interface Kind {
  readonly kind: 'process' | 'docker';
  readonly args: () => [readonly string[], NodeJS.ProcessEnv];
}

function suite({ kind, args }: Kind): void {
  let agent: AgentHarness;
  let stream: TestStream;
  let jobId: string;

  const idle = (more: Parameters<typeof jobSpec>[1] = {}) =>
    kind === 'process'
      ? jobSpec(['echo ready', 'exec sleep 600'], more)
      : jobSpec([], {
          ...{ shell_commands: null, image_name: IMAGE },
          ...{ commands: ['/bin/sh', '-c', 'echo ready; exec sleep 600'], ...more },
        });

  const started = async (spec: ReturnType<typeof jobSpec>): Promise<string> => {
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('ready'));
    await stream.until(() => stream.states(spec.id).some(({ phase }) => phase === 'running'));
    return spec.id;
  };
  // One job for all tests: most commands leave nothing in it.
  beforeAll(async () => {
    agent = new AgentHarness(...args());
    await agent.start();
    stream = await agent.connect();
    jobId = await started(idle({ env: { GREETING: 'from the job' } }));
  });
  afterAll(async () => {
    await stream.close();
    await agent.dispose();
  });

  const exec = (start: Start) => new Exec(agent, jobId).start(start);

  it('receives its arguments unchanged, and its output separated', async () => {
    const odd = ["a'b", '$HOME', '*', '', ' two  words ', '`id`', '-n', 'ü€'];
    const run = await exec({ argv: ['printf', '[%s]', ...odd] });
    expect(await run.end()).toEqual(EXIT(0));
    expect(Buffer.from(run.out, 'latin1').toString()).toBe(odd.map((one) => `[${one}]`).join(''));
    const both = await exec({ command: 'echo out; echo err >&2; exit 7' });
    expect(await both.end()).toEqual(EXIT(7));
    expect([both.out, both.err]).toEqual(['out\n', 'err\n']);
    expect(both.messages[0]).toEqual({ type: 'started' });
  });

  it('has the environment and the working directory of the job, and its own variables', async () => {
    const run = await exec({ command: 'echo "$GREETING|$OWN"; pwd; id -un', env: { OWN: 'mine' } });
    await run.end();
    const [line, directory] = run.out.split('\n');
    expect(line).toBe('from the job|mine');
    const state = stream.states(jobId).at(-1);
    expect(directory).toBe(state?.working_dir);
  });

  it('passes input to the last byte, and its end', async () => {
    const run = await exec({ argv: ['wc', '-c'] });
    for (let i = 0; i < 40; i++) run.input(Buffer.alloc(100_000, i));
    run.send({ type: 'eof' });
    expect(await run.end()).toEqual(EXIT(0));
    expect(run.out.trim()).toBe('4000000');
  });

  it('has a terminal of the right size that can be resized', async () => {
    const run = await exec({ tty: TTY });
    run.input('stty size; echo $TERM\n');
    await run.until('30 100');
    await run.until('xterm');
    run.send({ type: 'resize', cols: 77, rows: 11 });
    await vi.waitFor(
      async () => {
        run.input('stty size\n');
        await delay(100);
        expect(run.out).toContain('11 77');
      },
      { timeout: 15_000 },
    );
    run.input('exit 5\n');
    expect(await run.end()).toEqual(EXIT(5));
    expect(run.err).toBe('');
  });

  it('is interrupted by Ctrl-C in a terminal', async () => {
    const run = await exec({ tty: TTY, command: 'trap "echo stopped; exit 3" INT; echo on; cat' });
    await run.until('on');
    // The program runs once it has repeated a line, after the terminal itself.
    run.input('line\n');
    await vi.waitFor(() => expect(run.out).toMatch(/line\s+line/), { timeout: 15_000 });
    run.input('\x03');
    expect(await run.end()).toEqual(EXIT(3));
    expect(run.out).toContain('stopped');
  });

  it('receives signals', async () => {
    const run = await exec({
      command: 'trap "echo got; exit 4" USR1; echo on; while :; do sleep 0.1; done',
    });
    await run.until('on');
    run.send({ type: 'signal', name: 'USR1' });
    expect(await run.end()).toEqual(EXIT(4));
    expect(run.out).toContain('got');
  });

  it('waits while its output is not read', async () => {
    const run = await exec({ command: 'head -c 60000000 /dev/zero; echo done >&2' });
    run.socket.pause();
    await delay(1500);
    expect(run.received).toBeLessThan(30_000_000);
    expect(run.err).toBe('');
    run.socket.resume();
    expect(await run.end()).toEqual(EXIT(0));
    expect([run.received, run.err]).toEqual([60_000_005, 'done\n']);
  });

  it.each([
    ['with a terminal', TTY],
    ['without', undefined],
  ])('ends when its client disconnects, %s', async (_which, tty) => {
    const file = `/tmp/exec-${jobId}`;
    const command = `echo $$ > ${file}; echo on; sleep 300`;
    const run = await exec({ command, ...(tty && { tty }) });
    await run.until('on');
    run.socket.terminate();
    await vi.waitFor(
      async () => {
        const look = await exec({
          command: `kill -0 $(cat ${file}) 2>/dev/null && echo alive; rm -f x`,
        });
        await look.end();
        expect(look.out).toBe('');
      },
      { timeout: 15_000 },
    );
    await (await exec({ argv: ['rm', '-f', file] })).end();
  });

  it('reports a program that does not exist', async () => {
    const run = await exec({ argv: ['/no/such/program'] });
    const last = await run.end();
    expect(['error', 'exit']).toContain(last?.type);
    if (last?.type === 'error') expect(last.message).toMatch(/no such|ENOENT|cannot be started/i);
    else expect([126, 127]).toContain((last as { status: number }).status);
  });

  it('reports a user who does not exist', async () => {
    const run = await exec({ argv: ['id'], user: 'nobody-like-that' });
    expect(await run.end()).toMatchObject({ type: 'error', code: 'refused' });
  });

  it.each([
    ['input before the start', (run: Exec) => run.input('x')],
    ['a message that is not JSON', (run: Exec) => run.socket.send('{')],
    ['a message of another form', (run: Exec) => run.send({ type: 'start', argv: 'ls' })],
    ['a NUL in an argument', (run: Exec) => run.send({ type: 'start', argv: ['a\0b'] })],
    ['an invalid variable', (run: Exec) => run.send({ type: 'start', env: { 'A=B': '' } })],
  ])('refuses %s', async (_what, send) => {
    const run = new Exec(agent, jobId);
    await run.opened;
    send(run);
    expect(await run.end()).toMatchObject({ type: 'error', code: 'bad_message' });
    expect(await run.closed).toBe(1007);
  });

  it.each([
    ['a second start', (run: Exec) => run.send({ type: 'start', argv: ['id'] })],
    ['an unknown signal', (run: Exec) => run.send({ type: 'signal', name: 'NONSENSE' })],
    ['a terminal without a size', (run: Exec) => run.send({ type: 'resize', cols: 0, rows: 0 })],
    ['another channel', (run: Exec) => run.socket.send(Buffer.of(9, 1, 2))],
    ['an empty binary message', (run: Exec) => run.socket.send(Buffer.alloc(0))],
  ])('ends the command after %s', async (_what, send) => {
    const run = await exec({ command: 'echo on; cat' });
    await run.until('on');
    send(run);
    expect(await run.end()).toMatchObject({ type: 'error', code: 'bad_message' });
  });

  it('ends the command after a message that is too large', async () => {
    const run = await exec({ command: 'echo on; cat' });
    await run.until('on');
    run.input(Buffer.alloc(2 * 1024 * 1024));
    // The kernel may drop the close frame when the rest of the message arrives at the closed end.
    expect([1009, 1006]).toContain(await run.closed);
  });

  it('is refused to strangers, for unknown jobs, and after the end of the job', async () => {
    expect(await new Exec(agent, jobId, 'wrong').opened).toBe(401);
    expect(await new Exec(agent, '00000000-0000-4000-8000-000000000000').opened).toBe(404);
    const ended = await started(idle());
    await agent.stop(ended, false);
    await stream.until(() => stream.states(ended).some(({ phase }) => phase === 'exited'));
    expect(await new Exec(agent, ended).opened).toBe(409);
  });

  it('is cut off when the agent is killed', async () => {
    const run = await exec({ tty: TTY, command: 'echo on; sleep 300' });
    await run.until('on');
    await agent.end('SIGKILL');
    expect(await run.closed).toBe(1006);
    await agent.start();
  });
}

describe('a command in a process job', () => {
  suite({ kind: 'process', args: () => [['--executor', 'process'], {}] });
});

describe.skipIf(noDocker !== null)('a command in a container', () => {
  let engine: TestDocker;
  beforeAll(async () => {
    engine = await startDocker();
    await engine.busybox(IMAGE);
  });
  afterAll(async () => {
    for (const { Id } of await engine.docker.listContainers({ all: true })) {
      await engine.docker.getContainer(Id).remove({ force: true });
    }
    engine.close();
  });
  suite({
    kind: 'docker',
    args: () => [['--executor', 'docker'], { DOCKER_HOST: engine.host }],
  });
});
