import type { HostGpu, JobMetrics } from '@dstack/contract/agent';
import { runTool } from './run-tool.ts';

type GpuUsage = JobMetrics['gpus'][number];

const MIB = 1024 * 1024;

/** The use of a job's GPUs, by the vendor's tool; empty if there is none (Tenstorrent). */
export async function gpuUsage(gpus: readonly HostGpu[]): Promise<readonly GpuUsage[]> {
  switch (gpus[0]?.vendor) {
    case 'nvidia': {
      const query = '--query-gpu=uuid,memory.used,utilization.gpu';
      return pick(gpus, await runTool('nvidia-smi', [query, '--format=csv,noheader,nounits']));
    }
    case 'intel': {
      const query = '--query-aip=index,memory.used,utilization.aip';
      return pick(gpus, await runTool('hl-smi', [query, '--format=csv,noheader,nounits']));
    }
    case 'amd':
      return amdUsage(await runTool('amd-smi', ['monitor', '-vu', '--csv']), gpus.length);
    default:
      return [];
  }
}

/** Rows of `id, memory in MiB, percent` for those GPUs. */
export function pick(gpus: readonly HostGpu[], text: string | null): readonly GpuUsage[] {
  const rows = (text ?? '').split('\n').map((line) => line.split(',').map((field) => field.trim()));
  return gpus.flatMap((gpu) => {
    const row = rows.find(([id]) => id === gpu.id);
    if (!row) return [];
    return [{ memory_usage_bytes: (Number(row[1]) || 0) * MIB, util_percent: Number(row[2]) || 0 }];
  });
}

/** `amd-smi monitor -vu --csv`: the columns `gfx` (percent) and `vram_used` (MiB) by their names. */
export function amdUsage(text: string | null, count: number): readonly GpuUsage[] {
  const [header = '', ...lines] = (text ?? '').trim().split('\n');
  const names = header.split(',').map((name) => name.trim());
  const gfx = names.indexOf('gfx');
  const vram = names.indexOf('vram_used');
  if (gfx < 0 || vram < 0) return [];
  return lines.slice(0, count).map((line) => {
    const fields = line.split(',');
    const memory = Number.parseFloat(fields[vram] ?? '') || 0;
    return {
      memory_usage_bytes: memory * MIB,
      util_percent: Number.parseFloat(fields[gfx] ?? '') || 0,
    };
  });
}
