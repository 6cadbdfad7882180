import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { JobAccount } from '../executor/job-account.ts';
import { JobFailure } from '../executor/job-failure.ts';
import type { JobFolder } from '../executor/job-folder.ts';
import { nodeCommand, programEntry } from '../host/program-entry.ts';
import { networkEnvironment } from './git-runner.ts';
import { type HostPlacement, placementItems, type Uploads } from './host-placement.ts';
import type { PlaceRequest, PlaceResult } from './place-main.ts';
import { placeOnHost } from './place-on-host.ts';
import { homeFiles } from './small-files.ts';

/** How the program that places files enters the job's namespace and connects to other machines. */
export interface PlacingWay {
  /** A command prefix that enters the mount namespace of the job. */
  readonly enter: () => Promise<readonly string[]>;
  /** Variables for connections to other machines. */
  readonly reach: () => NodeJS.ProcessEnv;
}

/**
 * Places the repo and the files of a job with the rights of the job's account: users choose targets
 * freely, so the kernel must check the permissions. Throws `JobFailure`.
 */
export async function placeAs(
  account: JobAccount,
  placement: HostPlacement,
  folder: JobFolder,
  signal: AbortSignal,
  way: PlacingWay = { enter: async () => [], reach: networkEnvironment },
): Promise<void> {
  const uploads = openUploads(placement, folder);
  try {
    if (bringsNothing(placement, uploads)) return;
    const before = await way.enter();
    // Listeners that are added after an abort are not called.
    signal.throwIfAborted();
    const isSelf = account.uid === process.getuid?.() && before.length === 0;
    if (isSelf) await placeOnHost(placement, uploads, signal);
    else await placeInChild({ account, before, reach: way.reach() }, placement, uploads, signal);
  } finally {
    for (const fd of descriptorsOf(uploads)) closeSync(fd);
  }
}

/** True for most jobs: they run in their own directory and have no files. */
function bringsNothing(placement: HostPlacement, uploads: Uploads): boolean {
  const { cwd, work, home } = placement;
  const isAlone = cwd === work && homeFiles(placement, home).length === 0;
  const { signal } = new AbortController();
  return isAlone && placementItems(placement, uploads, signal).length === 0;
}

/** Opened here, since the account may not enter their directory. */
function openUploads({ spec }: HostPlacement, folder: JobFolder): Uploads {
  const archives: number[] = [];
  try {
    for (const { id } of spec.file_archives) archives.push(openSync(folder.archive(id), 'r'));
    return { archives, code: existsSync(folder.code) ? openSync(folder.code, 'r') : null };
  } catch (error) {
    for (const fd of archives) closeSync(fd);
    throw error;
  }
}

function descriptorsOf({ archives, code }: Uploads): number[] {
  return code === null ? [...archives] : [...archives, code];
}

interface As {
  readonly account: JobAccount;
  readonly before: readonly string[];
  readonly reach: NodeJS.ProcessEnv;
}

async function placeInChild(
  { account, before, reach }: As,
  placement: HostPlacement,
  uploads: Uploads,
  signal: AbortSignal,
): Promise<void> {
  const { uid, gid, username } = account;
  const program = programEntry('place.js', 'files/place-main.ts');
  const words = [...before, ...nodeCommand(), '--max-old-space-size=128', program];
  const [file = '', ...args] = words;
  const child = spawn(file, args, {
    cwd: '/',
    env: { PATH: process.env.PATH, ...reach },
    stdio: ['pipe', 'pipe', 'pipe', ...descriptorsOf(uploads)],
  });
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new Error('no pipes to the program that places files');
  // The program reverts its moves before it ends.
  const onAbort = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', onAbort);
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve());
  });
  const request: PlaceRequest = { uid, gid, username, placement };
  // It stays open. The program ends with its input, so it never outlives this process.
  stdin.on('error', () => {});
  stdin.write(`${JSON.stringify(request)}\n`);
  const [answer, errors] = await Promise.all([text(stdout), text(stderr), ended]);
  signal.removeEventListener('abort', onAbort);
  signal.throwIfAborted();
  const result = parseResult(answer);
  if (result === null) {
    const why = errors.trim().slice(-500);
    throw new JobFailure('executor_error', `The job's files were not put in place: ${why}`);
  }
  if (!result.ok) throw new JobFailure(result.reason, result.message);
}

function parseResult(text: string): PlaceResult | null {
  try {
    return JSON.parse(text) as PlaceResult;
  } catch {
    // The program ended without an answer.
    return null;
  }
}
