import { stat } from 'node:fs/promises';
import { basename, join, posix, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError, EXIT, UsageError } from '../../errors.ts';
import { bytesText } from '../../format/values.ts';
import { runScript, type ScriptJob } from '../../job-access/job-script.ts';
import { type JobSockets, openJobSockets } from '../../job-access/job-sockets.ts';
import { integerOption } from '../../options.ts';
import { chooseJob, liveRun } from '../../runs/live-run.ts';
import { LiveBlock } from '../../terminal/live.ts';
import { type Counts, type OnLeftOut, packed, unpackTo } from './local-tar.ts';

export interface CpOptions {
  readonly source: string;
  readonly target: string;
  readonly replica: number | null;
  readonly job: number | null;
}

export function declareCp(program: Command, cli: Cli, run: typeof runCp = runCp): void {
  program
    .command('cp')
    .description('Copy files or folders between this computer and a job, without SSH')
    .argument('<source>', 'a local path, or RUN:path')
    .argument('<target>', 'a local path, or RUN:path; a folder receives the source inside')
    .option('--replica <n>', 'number of the replica', integerOption(0))
    .option('--job <n>', 'number of the job in the replica (default: 0)', integerOption(0))
    .action((source, target, o) =>
      run({ source, target, replica: o.replica ?? null, job: o.job ?? null }, cli),
    );
}

interface InJob {
  readonly run: string;
  readonly path: string;
}

export async function runCp(options: CpOptions, cli: Cli): Promise<void> {
  const [from, to] = [inJob(options.source), inJob(options.target)];
  const place = from ?? to;
  if (place === null || (from !== null && to !== null)) {
    throw new UsageError('One of source and target must be in a run', {
      why: from === null ? 'both are local paths' : 'both are in runs',
      next: 'dstack cp FILE RUN:PATH, or dstack cp RUN:PATH FILE',
    });
  }
  const local = resolve(cli.cwd, from === null ? options.source : options.target);
  if (from === null) await requireLocal(local, options.source);
  const connection = await cli.connect();
  const run = await liveRun(place.run, connection, cli);
  const choice = { run: place.run, replica: options.replica, job: options.job };
  const { replica_num: replica, job_num: job } = chooseJob(run, choice).job_spec;
  const jobs = await openJobSockets(connection, cli);
  const transfer = { jobs, job: { run: place.run, replica, job }, path: place.path, local };
  const counts: Counts = { files: 0, bytes: 0 };
  const block = new LiveBlock(cli.io);
  block.show(() => `Copying... ${countsText(counts)}`);
  try {
    await (from === null ? upload : download)(transfer, counts, cli);
  } finally {
    block.stop();
  }
  cli.io.info(`Copied ${countsText(counts)}`);
}

/** `RUN:path`; a Windows drive and paths with a slash before the colon are local. */
function inJob(text: string): InJob | null {
  const [, run, path] = /^([a-z][a-z0-9-]+):(.*)$/s.exec(text) ?? [];
  return run === undefined ? null : { run, path: path || '.' };
}

async function requireLocal(path: string, given: string): Promise<void> {
  if ((await stat(path).catch(() => null)) !== null) return;
  throw new CliError(`${given} does not exist`, {
    exitCode: EXIT.notFound,
    why: `there is no file ${path} on this computer`,
  });
}

interface Transfer {
  readonly jobs: JobSockets;
  readonly job: ScriptJob;
  readonly path: string;
  readonly local: string;
}

/** Links and special files that a copy names when it leaves them out. */
const MOST_NAMED = 10;

/** Characters of the answer to a question of one word. */
const MOST_KIND = 100;

async function upload({ jobs, job, path, local }: Transfer, counts: Counts, cli: Cli) {
  let kind = '';
  const onOutput = (bytes: Uint8Array) => {
    if (kind.length < MOST_KIND) kind += Buffer.from(bytes).toString();
    return undefined;
  };
  const test = 'if [ -d "$(at "$1")" ]; then echo folder; else echo other; fi';
  requireDone(await runScript(jobs, job, test, [path], { onOutput }, cli), job, path);
  const isFolder = kind.trim() === 'folder' || path.endsWith('/');
  const folder = isFolder ? path : posix.dirname(path);
  const name = isFolder ? basename(local) : posix.basename(path);
  const script = 'd=$(at "$1"); mkdir -p -- "$d" && cd -- "$d" && exec tar xf -';
  const input = packed(local, name, counts) as AsyncIterable<Uint8Array>;
  requireDone(await runScript(jobs, job, script, [folder], { input }, cli), job, path);
}

async function download({ jobs, job, path, local }: Transfer, counts: Counts, cli: Cli) {
  const isFolder = await stat(local).then(
    (info) => info.isDirectory(),
    () => false,
  );
  const name = posix.basename(path);
  if (isFolder && ['.', '..', '~', ''].includes(name)) {
    throw new UsageError(`Name a file or folder of the run instead of ${path}`);
  }
  const leftOut: string[] = [];
  let alsoLeftOut = 0;
  let whySource: string | null = null;
  const onLeftOut: OnLeftOut = ({ name: entry, why, isSource }) => {
    if (isSource) whySource = why;
    else if (leftOut.length < MOST_NAMED) leftOut.push(`${entry} was not copied: ${why}`);
    else alsoLeftOut += 1;
  };
  const archive = unpackTo(isFolder ? join(local, name) : local, counts, onLeftOut);
  const unpacked = new Promise<void>((done, failed) => {
    archive.once('finish', done);
    archive.once('error', failed);
  });
  unpacked.catch(() => {});
  // One wait for all pieces that arrive before the job is held back.
  let draining: Promise<void> | undefined;
  const onOutput = (bytes: Uint8Array): Promise<void> | undefined => {
    if (archive.destroyed || archive.write(bytes)) return undefined;
    draining ??= new Promise((resume) => {
      const done = (): void => {
        archive.off('drain', done);
        archive.off('close', done);
        draining = undefined;
        resume();
      };
      archive.once('drain', done);
      archive.once('close', done);
    });
    return draining;
  };
  const script = `p=$(at "$1")
[ -e "$p" ] || { echo "$p does not exist" >&2; exit 3; }
if [ -d "$p" ]; then cd -- "$p" && exec tar cf - .; fi
cd -- "$(dirname -- "$p")" && exec tar cf - -- "$(basename -- "$p")"`;
  const result = await runScript(jobs, job, script, [path], { onOutput }, cli);
  requireDone(result, job, path);
  archive.end(undefined);
  await unpacked;
  if (whySource !== null) throw notCopied(job, path, whySource);
  for (const line of leftOut) cli.io.warn(line);
  if (alsoLeftOut > 0) cli.io.warn(`${alsoLeftOut} others were not copied either`);
}

/** A folder is copied without such entries, but the one thing that was named is not left out. */
function notCopied({ run }: ScriptJob, path: string, why: string): CliError {
  const next = 'name a file or a folder, such as the one that a link leads to';
  return new CliError(`Cannot copy ${run}:${path}`, { why, next });
}

function requireDone(
  { status, errors }: { readonly status: number; readonly errors: string },
  { run }: ScriptJob,
  path: string,
): void {
  if (status === 0) return;
  const isMissing = status === 3;
  throw new CliError(`Cannot copy ${run}:${path}`, {
    exitCode: isMissing ? EXIT.notFound : EXIT.failed,
    why: errors || `the command in the job ended with ${status}`,
    next: status === 127 ? 'the image needs sh and tar' : `dstack exec ${run} -- ls -l`,
  });
}

function countsText({ files, bytes }: Counts): string {
  return `${files} ${files === 1 ? 'file' : 'files'}, ${bytesText(bytes)}`;
}
