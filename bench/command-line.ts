/**
 * Duration of short commands, beside bare Node and, where it is installed, dstack 0.22.5; sizes of the
 * package; start of the MCP server.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { untilAtRest } from './api.ts';
import { dstack, installation, root } from './installation.ts';
import { print, summary } from './measure.ts';
import { applyFleet, submit } from './runs.ts';

const TIMES = 20;
/** The official client takes a second for each command. */
const OFFICIAL_TIMES = 5;
const RUNS = 1000;
const SUBMITTERS = 8;
const LINES = 1_000_000;
/** Round trip to a server far away. */
const ROUND_TRIP_MS = 50;

const waiting = {
  commands: ['true'],
  retry: { on_events: ['no-capacity'], duration: '1d' },
  resources: { gpu: 'H100:8' },
};

export async function commandLine(): Promise<void> {
  const home = installation();
  const official = officialClient();
  try {
    await home.startServer();
    time('node -e ""', process.execPath, ['-e', ''], home.env);
    for (const line of ['--version', '--help', 'ps']) both(line, official, home);
    await longLog(home);
    await completions(home, official);
    await submitRuns(home);
    both('ps', official, home, `, ${RUNS} active runs`);
    time(`dstack ps --json, ${RUNS} active runs`, dstack, ['ps', '--json'], home.env);
    await mcpStart(home);
    sizes(official);
  } finally {
    await home.dispose();
  }
}

/** The program that the suite of the official client has installed; null = it has not. */
function officialClient(): string | null {
  const program = join(root, '.cache', 'official-client', '0.22.5', 'bin', 'dstack');
  if (existsSync(program)) return program;
  print({ name: 'dstack 0.22.5: not installed', unit: '', value: null });
  return null;
}

function both(line: string, official: string | null, home: Installation, of = ''): void {
  time(`dstack ${line}${of}`, dstack, line.split(' '), home.env);
  if (official === null) return;
  time(`dstack 0.22.5 ${line}${of}`, official, line.split(' '), home.env, OFFICIAL_TIMES);
}

function time(
  name: string,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  times = TIMES,
): void {
  execFileSync(program, args, { env, stdio: 'ignore' });
  const before = childrenCpuMs();
  const samples = Array.from({ length: times }, () => {
    const start = performance.now();
    spawnSync(program, args, { env, stdio: 'ignore' });
    return performance.now() - start;
  });
  // CPU time does not depend on other load of the computer.
  const cpu = Math.round((childrenCpuMs() - before) / times);
  print({ name, unit: 'ms', cpu, ...summary(samples) });
}

const TICK_MS = 10;

/** CPU time of all finished children of this process. */
function childrenCpuMs(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}

/** The last two lines of a million. */
async function longLog(home: Installation): Promise<void> {
  await applyFleet(home, '0..1');
  await submit(home, 'counter', { commands: [`seq ${LINES}`] });
  await home.ok('wait', 'counter');
  const args = ['logs', '-n', '2', 'counter'];
  const last = await home.ok(...args);
  if (last !== `${LINES - 1}\n${LINES}\n`) throw new Error(`the last lines are ${last}`);
  time(`dstack logs -n 2 of ${LINES} lines`, dstack, args, home.env);
}

/** Names of runs, asked of a server 50 ms away: the first time, and from the cache. */
async function completions(home: Installation, official: string | null): Promise<void> {
  const far = await distant(Number(new URL(home.url).port));
  const cache = join(home.home, 'tab');
  let rounds = 0;
  const env = { ...home.env, DSTACK_SERVER_URL: far.url, DSTACK_TOKEN: home.token() };
  Object.assign(env, { DSTACK_PROJECT: 'main', XDG_CACHE_HOME: cache });
  const args = ['__complete', 'logs', ''];
  const name = `TAB after "dstack logs", server at ${ROUND_TRIP_MS} ms`;
  await timeApart(`${name}, first`, dstack, args, () => ({
    ...env,
    XDG_CACHE_HOME: join(cache, String(rounds++)),
  }));
  await timeApart(`${name}, again`, dstack, args, () => env);
  if (official !== null) {
    // argcomplete makes the same call; the answer goes to descriptor 8.
    const line = 'dstack logs ';
    const shell = { _ARGCOMPLETE: '1', COMP_LINE: line, COMP_POINT: String(line.length) };
    const script = ['-c', '"$0" 8>/dev/null 9>/dev/null', official];
    const asked = () => ({ ...env, ...shell, _ARGCOMPLETE_SUPPRESS_SPACE: '1' });
    await timeApart(`dstack 0.22.5 ${name}`, 'sh', script, asked, OFFICIAL_TIMES);
  }
  far.close();
}

/** Without blocking this process, in which the delayed connections are. */
async function timeApart(
  name: string,
  program: string,
  args: readonly string[],
  env: () => NodeJS.ProcessEnv,
  times = TIMES,
): Promise<void> {
  const samples: number[] = [];
  for (let i = 0; i <= times; i++) {
    const own = env();
    const start = performance.now();
    await once(spawn(program, args, { env: own, stdio: 'ignore' }), 'close');
    if (i > 0) samples.push(performance.now() - start);
  }
  print({ name, unit: 'ms', ...summary(samples) });
}

/** The server behind connections that delay what it answers. */
async function distant(port: number): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    near.on('data', (bytes) => void delay(ROUND_TRIP_MS / 2).then(() => far.write(bytes)));
    far.on('data', (bytes) => void delay(ROUND_TRIP_MS / 2).then(() => near.write(bytes)));
    for (const socket of [near, far]) {
      socket.on('error', () => {});
      socket.on(
        'close',
        () => void delay(ROUND_TRIP_MS).then(() => [near, far].map((s) => s.destroy())),
      );
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: own } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${own}`, close: () => server.close() };
}

async function submitRuns(home: Installation): Promise<void> {
  let next = 0;
  const submitter = async () => {
    while (next < RUNS) await submit(home, `waiting-${next++}`, waiting);
  };
  await Promise.all(Array.from({ length: SUBMITTERS }, submitter));
  await untilAtRest(home);
}

/** From the start of the process to its answer to `initialize`. */
async function mcpStart(home: Installation): Promise<void> {
  const samples: number[] = [];
  const request = {
    ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
    params: {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'bench', version: '1' },
    },
  };
  for (let i = 0; i < TIMES; i++) {
    const start = performance.now();
    const child = spawn(dstack, ['mcp'], { env: home.env, stdio: ['pipe', 'pipe', 'ignore'] });
    child.stdin.write(`${JSON.stringify(request)}\n`);
    await once(child.stdout, 'data');
    samples.push(performance.now() - start);
    child.stdin.end();
    await once(child, 'exit');
  }
  print({ name: 'dstack mcp: start to its first answer', unit: 'ms', ...summary(samples) });
}

function sizes(official: string | null): void {
  const options = ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error'];
  const answer = execFileSync('npm', options, { cwd: root, encoding: 'utf8' });
  const [packed] = JSON.parse(answer) as { size: number; unpackedSize: number }[];
  const mb = (bytes: number) => Math.round(bytes / 1e5) / 10;
  print({ name: 'package, packed', unit: 'MB', value: mb(packed?.size ?? 0) });
  print({ name: 'package, installed', unit: 'MB', value: mb(packed?.unpackedSize ?? 0) });
  const node = join(root, 'node_modules', `node-linux-${process.arch}`);
  print({ name: 'package, Node beside it', unit: 'MB', value: mb(bytesIn(node)) });
  if (official === null) return;
  const value = mb(bytesIn(join(official, '..', '..')));
  print({ name: 'dstack 0.22.5, installed with its libraries', unit: 'MB', value });
}

function bytesIn(folder: string): number {
  const text = execFileSync('du', ['-sb', folder], { encoding: 'utf8' });
  return Number(text.split('\t')[0]);
}
