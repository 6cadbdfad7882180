/**
 * The first run of a new user: a server with a private home on a free port, a fleet, a task, and
 * its logs as they are printed. Uses only `bin/dstack`, like a user.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { errorMessage } from '@dstack/contract/error-message';
import { Installation } from '@dstack/testkit';

const root = resolve(import.meta.dirname, '..');
const dstack = join(root, 'bin', 'dstack');
const installation = new Installation({
  dstack,
  // The default image is gigabytes from a registry; plain processes need nothing.
  env: { DSTACK_LOCAL_EXECUTOR: 'process' },
  onServerLine: (line) => (isBusy ? held.push(line) : console.log(line)),
});
/** A command draws its progress in place, which a line of the server would break. */
let isBusy = false;
const held: string[] = [];

const phases: [name: string, seconds: number][] = [];
let exitCode = 1;
try {
  console.log(
    'Jobs of this demo are plain processes, also where Docker answers: it pulls no image.\n',
  );
  console.log('$ DSTACK_LOCAL_EXECUTOR=process dstack server');
  await timed('server ready', () => installation.startServer());
  await timed('fleet applied', () => run('apply', '-f', 'examples/hello/fleet.dstack.yml', '-y'));
  await timed('task, plan to end', () => run('apply', '-f', 'examples/hello/.dstack.yml', '-y'));
  addRunPhases(JSON.parse(await installation.ok('run', 'get', 'hello', '--json')));
  await run('ps', '-a');
  exitCode = 0;
} catch (error) {
  console.error(errorMessage(error));
} finally {
  await installation.dispose();
}
console.log('\nHow long it took');
for (const [name, seconds] of phases) {
  console.log(`  ${name.padEnd(28)}${seconds.toFixed(2).padStart(6)} s`);
}
process.exit(exitCode);

async function timed(name: string, work: () => Promise<void>): Promise<void> {
  const start = performance.now();
  await work();
  phases.push([name, (performance.now() - start) / 1000]);
}

/** On this terminal, as a user sees it. */
async function run(...args: string[]): Promise<void> {
  console.log(`\n$ dstack ${args.join(' ')}`);
  isBusy = true;
  const child = spawn(dstack, args, { env: installation.env, cwd: root, stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  isBusy = false;
  for (const line of held.splice(0)) console.log(line);
  if (code !== 0) throw new Error(`dstack ${args[0]} ended with code ${code}`);
}

/** Adds the time from submission to end that the server recorded for the run itself. */
function addRunPhases(shown: {
  submitted_at: string;
  latest_job_submission: { finished_at: string };
}): void {
  const finished = Date.parse(shown.latest_job_submission.finished_at);
  const seconds = (finished - Date.parse(shown.submitted_at)) / 1000;
  phases.push(['  of it from submit to done', seconds]);
}
