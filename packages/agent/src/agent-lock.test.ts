import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AgentRunning, lockStateDir } from './agent-lock.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'agent-lock-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

async function deadPid(): Promise<number> {
  const child = spawn('true');
  await once(child, 'exit');
  return child.pid!;
}

it('removes the files of agents that were killed while they took the lock', async () => {
  const pid = await deadPid();
  for (const end of ['', '.new', '.stale']) writeFileSync(join(dir, `agent.lock.${pid}${end}`), '');
  // The lock of an agent that is about to try.
  writeFileSync(join(dir, `agent.lock.${process.ppid}`), '');
  const unlock = lockStateDir(dir);
  expect(readdirSync(dir).sort()).toEqual(['agent.lock', `agent.lock.${process.ppid}`]);
  unlock();
});

it('is taken by one agent at a time, and again after that one has released it', () => {
  const unlock = lockStateDir(dir);
  expect(() => lockStateDir(dir)).toThrow(AgentRunning);
  unlock();
  lockStateDir(dir)();
  expect(readdirSync(dir)).toEqual([]);
});
