import { linkSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writeDurably } from './host/durable-file.ts';
import { identifyProcess, isAlive, type ProcessIdentity } from './host/process-identity.ts';

/** Thrown when another agent lives on the same state directory. */
export class AgentRunning extends Error {
  readonly pid: number;

  constructor(pid: number) {
    super(`another agent (pid ${pid}) runs on this state directory`);
    this.pid = pid;
  }
}

/**
 * Locks the state directory for this process, and returns a function that releases it. The lock of
 * a dead process does not count. A process with the same pid and another start time is another
 * process.
 */
export function lockStateDir(stateDir: string): () => void {
  const own = identifyProcess(process.pid);
  if (!own) throw new Error('cannot read /proc');
  const path = join(stateDir, 'agent.lock');
  const mine = join(stateDir, `agent.lock.${process.pid}`);
  writeDurably(mine, JSON.stringify(own));
  try {
    for (;;) {
      if (tryLink(mine, path)) {
        removeLeftovers(stateDir);
        return () => release(path, own);
      }
      const holder = readHolder(path);
      if (holder && isAlive(holder)) throw new AgentRunning(holder.pid);
      setAside(path, mine);
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Removes temporary files of agents that were killed while they took the lock. */
function removeLeftovers(stateDir: string): void {
  for (const name of readdirSync(stateDir)) {
    const pid = /^agent\.lock\.(\d+)(\.new|\.stale)?$/.exec(name)?.[1];
    // A living process may be an agent that is taking the lock.
    if (pid && !identifyProcess(Number(pid))) rmSync(join(stateDir, name), { force: true });
  }
}

/** Ends the agent that holds the lock: by SIGTERM, or by SIGKILL after 10 s. */
export async function endHolder(stateDir: string): Promise<void> {
  const holder = readHolder(join(stateDir, 'agent.lock'));
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!holder || !isAlive(holder)) return;
    signalProcess(holder.pid, signal);
    for (let i = 0; i < 200 && isAlive(holder); i++) await delay(50);
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Removes a dead holder's lock, but not one that a third process has taken meanwhile. */
function setAside(path: string, mine: string): void {
  const aside = `${mine}.stale`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const moved = readHolder(aside);
  if (moved && isAlive(moved)) tryLink(aside, path);
  rmSync(aside, { force: true });
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch {
    return false;
  }
}

function readHolder(path: string): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

function release(path: string, own: ProcessIdentity): void {
  const holder = readHolder(path);
  if (holder?.pid === own.pid && holder.startTime === own.startTime) rmSync(path, { force: true });
}
