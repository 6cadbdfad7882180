import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryKills, preferAsVictim } from './memory-kills.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kills-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('kills for lack of memory', () => {
  it('are counted in both versions of control groups', () => {
    expect(memoryKills({ unified: dir, legacy: {} })).toBeNull();
    writeFileSync(join(dir, 'memory.events'), 'oom 4\noom_kill 3\noom_group_kill 0\n');
    expect(memoryKills({ unified: dir, legacy: {} })).toBe(3);
    writeFileSync(join(dir, 'memory.oom_control'), 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n');
    expect(memoryKills({ unified: null, legacy: { memory: dir } })).toBe(2);
  });

  it('meet the job before the processes that serve it', async () => {
    const child = spawn('sleep', ['100']);
    await once(child, 'spawn');
    const score = () => Number(readFileSync(`/proc/${child.pid}/oom_score_adj`, 'utf8'));
    const before = score();
    preferAsVictim(child.pid ?? 0);
    expect(score()).toBe(Math.min(1000, before + 100));
    child.kill('SIGKILL');
    await once(child, 'exit');
    preferAsVictim(child.pid ?? 0);
  });
});
