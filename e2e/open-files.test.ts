/** The whole server under a low `ulimit -n`, whose open files a user uses up by connections. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shellQuote } from '@dstack/contract/shell';
import { Installation } from '@dstack/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { countedTo, counting, linesOf } from './counting.ts';
import {
  applyFleet,
  dstack,
  isFinished,
  isRunning,
  sharedFile,
  showRun,
  submit,
  untilRun,
} from './installation.ts';
import { until } from './until.ts';

const LIMIT = 160;
/** Without a link for this long a job counts as lost. */
const TOLERANCE_SECONDS = 2;

let folder: string;
let home: Installation;
let printed: string[];
let connections: Connections;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dstack-limited-'));
  printed = [];
  home = new Installation({
    dstack: limited(),
    env: {
      DSTACK_LOCAL_EXECUTOR: 'process',
      DSTACK_SERVER_LOG_FORMAT: 'json',
      // The server itself accepts all connections then.
      DSTACK_SERVER_PROXY_WORKERS: '0',
      DSTACK_SERVER_UNREACHABLE_TOLERANCE: String(TOLERANCE_SECONDS),
    },
    onServerLine: (line) => printed.push(line),
  });
  connections = new Connections(() => home);
  await home.startServer();
});
afterEach(async () => {
  connections.leave();
  await home.dispose();
  rmSync(folder, { recursive: true });
});

/** The program, with a server that may open few files. */
function limited(): string {
  const path = join(folder, 'dstack');
  const limit = `[ "$1" != server ] || ulimit -n ${LIMIT}`;
  writeFileSync(path, `#!/bin/sh\n${limit}\nexec ${shellQuote(dstack)} "$@"\n`, { mode: 0o755 });
  return path;
}

const hasLogged = (text: string) => () =>
  [...printed, home.serverNotices].join('\n').includes(text);

it('out of open files a server warns, refuses new work, judges no host, and recovers', async () => {
  await applyFleet(home);
  const progress = sharedFile(home);
  await submit(home, 'long', [
    `while [ ! -e ${progress}.end ]; do echo x >> ${progress}; sleep 0.1; done`,
    ...counting(3),
  ]);
  await untilRun(home, 'long', isRunning);

  connections.come(Math.round(LIMIT * 0.92) - openFiles());
  await until(hasLogged('the server has few open files left'));
  const yaml = 'type: task\nname: next\ncommands: [echo]\nresources: {gpu: 0}\n';
  writeFileSync(join(home.home, 'next.dstack.yml'), yaml);
  const refused = await home.dstack(['apply', '-f', 'next.dstack.yml', '-y', '-d']);
  expect(refused.code).not.toBe(0);
  expect(refused.stdout + refused.stderr).toMatch(/takes no new work.*LimitNOFILE/s);

  // Now it cannot even connect to the agent, which therefore looks as if it were lost.
  connections.come(LIMIT);
  await until(() => openFiles() >= LIMIT - 2);
  process.kill(agentPid(), 'SIGKILL');
  const steps = () => readFileSync(progress, 'utf8').length / 2;
  const before = steps();
  await until(() => steps() > before + 5 * TOLERANCE_SECONDS * 10);

  connections.leave();
  await until(hasLogged('the server has enough open files again'));
  expect((await showRun(home, 'long')).latest_job_submission.status).toBe('running');
  writeFileSync(`${progress}.end`, '');
  const run = await untilRun(home, 'long', isFinished);
  expect(run.latest_job_submission.exit_status).toBe(3);
  expect(await linesOf(home, 'long')).toEqual(countedTo(3));
  await home.ok('apply', '-f', 'next.dstack.yml', '-y', '-d');
  expect((await untilRun(home, 'next', isFinished)).status).toBe('done');
});

const openFiles = () => readdirSync(`/proc/${home.serverPid}/fd`).length;

function agentPid(): number {
  const isAgent = (pid: number) =>
    /agent\/main\.js/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  const pid = home.processes().find(isAgent);
  if (pid === undefined) throw new Error('no agent runs');
  return pid;
}

/**
 * Connections on which a caller has signed in, which have no bound as those of strangers have. Each that the
 * server closes is replaced.
 */
class Connections {
  readonly #home: () => Installation;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(home: () => Installation) {
    this.#home = home;
  }

  come(count: number): void {
    for (let each = 0; each < count; each += 1) this.#connect();
  }

  leave(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.removeAllListeners('close').destroy();
    this.#timers.clear();
    this.#sockets.clear();
  }

  #connect(): void {
    const home = this.#home();
    const socket = connect(Number(new URL(home.url).port), '127.0.0.1');
    const head = `POST /api/users/get_my_user HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${home.token()}`;
    socket.resume().write(`${head}\r\nContent-Length: 0\r\n\r\n`);
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#sockets.delete(socket);
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#connect();
      }, 50);
      this.#timers.add(timer);
    });
  }
}
