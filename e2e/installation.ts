import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { Installation } from '@dstack/testkit';
import { onTestFinished } from 'vitest';
import { waitFor } from './until.ts';

/** The built program. */
export const dstack = resolve(import.meta.dirname, '..', 'bin', 'dstack');

/** An installation of the built product; by default jobs run as plain processes. */
export function newInstallation(env: NodeJS.ProcessEnv = {}, program = dstack): Installation {
  return new Installation({
    dstack: program,
    env: { DSTACK_LOCAL_EXECUTOR: 'process', DSTACK_SERVER_LOG_LEVEL: 'warning', ...env },
  });
}

/** Another server on the database of the environment; servers of one database have the same keys. */
export async function newServerBeside(
  { serverDir }: Installation,
  env: NodeJS.ProcessEnv,
  program = dstack,
): Promise<Installation> {
  const home = newInstallation(env, program);
  mkdirSync(home.serverDir, { recursive: true });
  copyFileSync(`${serverDir}/config.yml`, `${home.serverDir}/config.yml`);
  await home.startServer();
  return home;
}

/**
 * A folder that jobs of this computer can access too: jobs of a server started by root have their
 * own users, who may not enter a user's home and have private folders for temporary files. Removed
 * with the test.
 */
export function sharedFolder(installation: Installation): string {
  if (process.getuid?.() !== 0) return installation.home;
  const path = mkdtempSync('/var/lib/dstack-test-');
  chmodSync(path, 0o755);
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** An empty file in such a folder that jobs may write. */
export function sharedFile(installation: Installation): string {
  const path = join(sharedFolder(installation), 'shared');
  writeFileSync(path, '');
  chmodSync(path, 0o666);
  return path;
}

/** A copy of the built product in a folder that jobs see, as they may not see the clone; returns its program. */
export function productForJobs(installation: Installation): string {
  const folder = join(sharedFolder(installation), 'product');
  const node = join('node_modules', `node-linux-${process.arch}`, 'bin', 'node');
  for (const part of ['dist', join('bin', 'dstack'), node]) {
    cpSync(resolve(import.meta.dirname, '..', part), join(folder, part), { recursive: true });
  }
  return join(folder, 'bin', 'dstack');
}

/** Writes a configuration into the user's current folder and returns its name. */
export function configuration(installation: Installation, name: string, yaml: string): string {
  mkdirSync(installation.home, { recursive: true });
  writeFileSync(join(installation.home, name), yaml);
  return name;
}

/** A template of one instance, or as many as requested. */
export async function applyFleet(
  installation: Installation,
  nodes = '0..1',
  more = '',
): Promise<void> {
  const yaml = `type: fleet\nname: default\nnodes: ${nodes}\nresources:\n  gpu: 0\n${more}`;
  const file = configuration(installation, 'fleet.dstack.yml', yaml);
  await installation.ok('apply', '-f', file, '-y');
}

/** Submits a task and does not wait for it. */
export async function submit(
  installation: Installation,
  name: string,
  commands: readonly string[],
  more = '',
): Promise<void> {
  const yaml = `type: task\nname: ${name}\ncommands: ${JSON.stringify(commands)}\nresources:\n  gpu: 0\n${more}`;
  const file = configuration(installation, `${name}.dstack.yml`, yaml);
  await installation.ok('apply', '-f', file, '-y', '-d');
}

export interface ShownRun {
  readonly id: string;
  readonly status: string;
  readonly status_message: string;
  readonly termination_reason: string | null;
  readonly deployment_num: number;
  readonly jobs: readonly {
    readonly job_submissions: readonly { readonly exit_status: number | null }[];
  }[];
  readonly latest_job_submission: {
    readonly id: string;
    readonly status: string;
    readonly status_message: string;
    readonly termination_reason: string | null;
    readonly termination_reason_message: string | null;
    readonly exit_status: number | null;
  };
}

export async function showRun(installation: Installation, name: string): Promise<ShownRun> {
  return await installation.api('/api/project/main/runs/get', { run_name: name });
}

/** Polls until the run satisfies the condition; if it never does, the error has what `explain` prints. */
export async function untilRun(
  installation: Installation,
  name: string,
  is: (run: ShownRun) => boolean,
): Promise<ShownRun> {
  return waitFor(
    () => installation.api<ShownRun>('/api/project/main/runs/get', { run_name: name }),
    is,
    () => installation.ok('explain', name, '-v'),
  );
}

export const isFinished = (run: ShownRun) => ['done', 'failed', 'terminated'].includes(run.status);
export const isRunning = (run: ShownRun) => run.latest_job_submission?.status === 'running';

/** Waits until something that changes all the time has stopped changing. */
export async function untilStill<T>(look: () => T | Promise<T>): Promise<T> {
  for (let before = await look(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const now = await look();
    if (now === before) return now;
    before = now;
  }
}
