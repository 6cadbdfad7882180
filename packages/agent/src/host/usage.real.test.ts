import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { wrapCommand } from '../process/job-command.ts';
import { joinFiles, makeJobCgroup, removeCgroup } from './cgroup.ts';
import { amdUsage, pick } from './gpu-usage.ts';
import { killTree } from './process-tree.ts';
import { cgroupUsage, processUsage } from './usage.ts';

const BURN = 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; sleep 1000';

it('counts what a process uses', () => {
  const usage = processUsage([process.pid]);
  expect(usage.cpu_usage_micro).toBeGreaterThan(0);
  expect(usage.memory_usage_bytes).toBeGreaterThan(1024 * 1024);
});

it.skipIf(process.getuid?.() !== 0)('counts, limits and kills by control groups', async () => {
  const id = randomUUID();
  const cgroup = makeJobCgroup(`test-${id}`, { cpus: 1, memoryBytes: 64 * 1024 * 1024 });
  if (joinFiles(cgroup).length === 0) return;
  const [file = '', ...args] = wrapCommand(['/bin/sh', '-c', BURN], cgroup);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const usage = cgroupUsage(cgroup);
  if (usage) {
    expect(usage.cpu_usage_micro).toBeGreaterThan(10_000);
    expect(usage.memory_usage_bytes).toBeGreaterThan(0);
    expect(usage.memory_usage_bytes).toBeLessThan(64 * 1024 * 1024);
  }
  const exited = once(child, 'exit');
  await killTree({ id, leader: null, cgroup });
  expect((await exited)[1]).toBe('SIGKILL');
  removeCgroup(cgroup);
});

it("reads the use of a job's own GPUs", () => {
  const gpu = (id: string) => ({ vendor: 'nvidia', name: 'A10G', memory_mib: 1, id }) as const;
  const text = 'GPU-1, 100, 5\nGPU-2, 200, 50\n';
  expect(pick([gpu('GPU-2'), gpu('GPU-9')], text)).toEqual([
    { memory_usage_bytes: 200 * 1024 * 1024, util_percent: 50 },
  ]);
  const csv = 'gpu,gfx,gfx_clock,vram_used,vram_total\n0,17,100,2048,196592\n';
  expect(amdUsage(csv, 1)).toEqual([{ memory_usage_bytes: 2048 * 1024 * 1024, util_percent: 17 }]);
});
