import { execFile } from 'node:child_process';
import { arch, availableParallelism, totalmem } from 'node:os';
import { promisify } from 'node:util';
import type { HostFacts, HostGpu } from '@dstack/contract/agent';

/** The server's machine as an offer needs it. */
export interface MachineFacts {
  readonly cpus: number;
  readonly memoryMib: number;
  readonly arch: 'x86' | 'arm';
  readonly gpus: readonly {
    readonly vendor: HostGpu['vendor'];
    readonly name: string;
    readonly memory_mib: number;
  }[];
}

/** As the machine's agent has found it; null before it has told. */
export function machineOf(facts: HostFacts | null): MachineFacts | null {
  return (
    facts && {
      cpus: facts.cpus,
      memoryMib: Math.floor(facts.memory_bytes / 2 ** 20),
      arch: facts.arch,
      gpus: facts.gpus.map(({ vendor, name, memory_mib }) => ({ vendor, name, memory_mib })),
    }
  );
}

/**
 * GPUs are those `nvidia-smi` names; a machine without the tool has none. The agent looks again,
 * and for all vendors.
 */
export async function inspectMachine(): Promise<MachineFacts> {
  return {
    cpus: availableParallelism(),
    memoryMib: Math.floor(totalmem() / 2 ** 20),
    arch: arch() === 'arm64' ? 'arm' : 'x86',
    gpus: await nvidiaGpus(),
  };
}

async function nvidiaGpus(): Promise<MachineFacts['gpus']> {
  const args = ['--query-gpu=name,memory.total', '--format=csv,noheader,nounits'];
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', args, { timeout: 10_000 });
    return stdout
      .split('\n')
      .map((line) => line.split(',').map((part) => part.trim()))
      .filter((parts) => parts.length === 2 && parts[0])
      .map(([name, memory]) => ({
        vendor: 'nvidia' as const,
        name: (name ?? '').replace(/^(NVIDIA|Tesla|GeForce|Quadro) /g, ''),
        memory_mib: Number(memory),
      }));
  } catch {
    // No tool, or no driver behind it: the same as no GPU.
    return [];
  }
}
