/**
 * The first run, for real: a server with a home of its own on a free port, a fleet, a task, its
 * logs as they are printed. Uses what a user uses, `bin/dstack`, and nothing else.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const root = resolve(import.meta.dirname, '..');
const dstack = join(root, 'bin', 'dstack');
const home = mkdtempSync(join(tmpdir(), 'dstack-demo-'));
const env: NodeJS.ProcessEnv = {
  ...process.env,
  HOME: home,
  // The default image is gigabytes from a registry; plain processes need nothing.
  DSTACK_LOCAL_EXECUTOR: 'process',
  DSTACK_SERVER_DIR: join(home, '.dstack', 'server'),
};
for (const name of ['DSTACK_PROJECT', 'DSTACK_SERVER_URL', 'DSTACK_TOKEN', 'DSTACK_DATABASE_URL']) {
  delete env[name];
}

const phases: [name: string, seconds: number][] = [];
let server: ChildProcess | undefined;
let exitCode = 1;
try {
  server = await timed('server ready', startServer);
  await timed('fleet applied', () => run('apply', '-f', 'examples/hello/fleet.dstack.yml', '-y'));
  await timed('task: plan to end', () => run('apply', '-f', 'examples/hello/.dstack.yml', '-y'));
  addRunPhases(JSON.parse(await output('run', 'get', 'hello', '--json')));
  await run('ps', '-a');
  exitCode = 0;
} finally {
  await stopEverything();
  rmSync(home, { recursive: true, force: true });
}
console.log('\nHow long it took');
for (const [name, seconds] of phases) {
  console.log(`  ${name.padEnd(24)}${seconds.toFixed(2).padStart(7)} s`);
}
process.exit(exitCode);

async function timed<T>(name: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  phases.push([name, (performance.now() - start) / 1000]);
  return result;
}

/** Resolves when the server says that it takes requests. */
async function startServer(): Promise<ChildProcess> {
  console.log('$ dstack server --port 0');
  const child = spawn(dstack, ['server', '--port', '0', '--yes'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const ready = new Promise<void>((done, fail) => {
    lines.on('line', (line) => {
      console.log(line);
      if (line.includes('is running at')) done();
    });
    child.on('exit', (code) => fail(new Error(`the server ended with code ${code}`)));
  });
  server = child;
  await ready;
  return child;
}

async function run(...args: string[]): Promise<void> {
  console.log(`\n$ dstack ${args.join(' ')}`);
  const child = spawn(dstack, args, { env, cwd: root, stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`dstack ${args[0]} ended with code ${code}`);
}

async function output(...args: string[]): Promise<string> {
  const child = spawn(dstack, args, { env, cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await once(child, 'close');
  return text;
}

/** What the server recorded about the run itself. */
function addRunPhases(shown: {
  submitted_at: string;
  latest_job_submission: { submitted_at: string; finished_at: string };
}): void {
  const { submitted_at: start, latest_job_submission: job } = shown;
  phases.push(['  of it: submit to done', (Date.parse(job.finished_at) - Date.parse(start)) / 1000]);
}

/** The server first, then its agent, which would wait ten seconds for another server. */
async function stopEverything(): Promise<void> {
  if (server && server.exitCode === null) {
    server.kill('SIGINT');
    await once(server, 'exit');
  }
  for (const pid of ownProcesses()) process.kill(pid, 'SIGTERM');
  while (ownProcesses().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Processes that name this demo's home on their command line. */
function ownProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(home);
      } catch {
        // It ended while we looked.
        return false;
      }
    })
    .map(Number);
}
