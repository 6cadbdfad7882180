import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { cgroupPids, type JobCgroup, killCgroup } from './cgroup.ts';
import { bootId, isAlive, isDead, type ProcessIdentity, processStat } from './process-identity.ts';
import { processesByUser } from './process-users.ts';

/**
 * The features that identify the processes of a job: its control groups, its session, and the mark
 * in their environment.
 */
export interface JobTree {
  readonly id: string;
  /** The command's process, which leads the session; null until it is known. */
  readonly leader: ProcessIdentity | null;
  readonly cgroup: JobCgroup;
  /** The user that only this job has; null = none. */
  readonly uid?: number | null;
}

const ROUNDS = 200;
const ROUND_MS = 10;

/** The living processes of a job. The mark finds those that have left session and group. */
export function treePids(tree: JobTree): number[] {
  const { leader } = tree;
  const found = new Set(cgroupPids(tree.cgroup).filter(isRunning));
  // The command joins its groups itself, before anything else.
  if (leader && isAlive(leader)) found.add(leader.pid);
  if (tree.uid != null) for (const pid of processesByUser().get(tree.uid) ?? []) found.add(pid);
  if (tree.cgroup.unified !== null) return [...found];
  const session = sessionOf(leader);
  const mark = Buffer.from(`DSTACK_JOB_ID=${tree.id}\0`);
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid || found.has(pid)) continue;
    const stat = processStat(pid);
    if (!stat || isDead(stat)) continue;
    if (stat.session === session || environOf(pid).includes(mark)) found.add(pid);
  }
  return [...found];
}

/**
 * Number of the session that the command leads; null if the number may belong to another session now:
 * the machine has restarted, or another process has this pid. The kernel does not reuse the number while
 * a process of the session lives.
 */
function sessionOf(leader: ProcessIdentity | null): number | null {
  if (leader === null || leader.bootId !== bootId()) return null;
  const holder = processStat(leader.pid);
  return holder === null || holder.startTime === leader.startTime ? leader.pid : null;
}

export function signalTree(tree: JobTree, signal: NodeJS.Signals): void {
  for (const pid of treePids(tree)) send(pid, signal);
}

/**
 * SIGTERM to all of a job. An interactive shell ignores that signal, so processes that do get SIGHUP,
 * which a shell passes on to its jobs before it ends.
 */
export function terminatePids(pids: readonly number[]): void {
  const deaf = pids.filter(ignoresTerminate);
  for (const pid of pids) send(pid, 'SIGTERM');
  for (const pid of deaf) send(pid, 'SIGHUP');
}

/** Kills until no process of the job is left (new ones may appear meanwhile); at most 2 s. */
export async function killTree(tree: JobTree): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const pids = treePids(tree);
    if (pids.length === 0) return;
    killCgroup(tree.cgroup);
    for (const pid of pids) send(pid, 'SIGKILL');
    await delay(ROUND_MS);
  }
}

function isRunning(pid: number): boolean {
  const stat = processStat(pid);
  return stat !== null && !isDead(stat);
}

function environOf(pid: number): Buffer {
  try {
    return readFileSync(`/proc/${pid}/environ`);
  } catch {
    // Ended meanwhile, or another user's process.
    return Buffer.alloc(0);
  }
}

function ignoresTerminate(pid: number): boolean {
  try {
    const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return ((BigInt(`0x${ignored?.[1] ?? '0'}`) >> 14n) & 1n) === 1n;
  } catch {
    return false;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended before the signal.
  }
}
