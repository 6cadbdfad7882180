import { arch, availableParallelism, totalmem } from 'node:os';
import type { HostFacts, HostGpu } from '@dstack/contract/agent';

/** The facts about the server's machine that an offer contains. */
export interface ServerHostFacts {
  readonly cpus: number;
  readonly memoryMib: number;
  readonly arch: 'x86' | 'arm';
  readonly gpus: readonly {
    readonly vendor: HostGpu['vendor'];
    readonly name: string;
    readonly memory_mib: number;
  }[];
}

/** Returns the facts that the agent of the machine reported; null before its first report. */
export function serverHostFacts(facts: HostFacts | null): ServerHostFacts | null {
  return (
    facts && {
      cpus: facts.cpus,
      memoryMib: Math.floor(facts.memory_bytes / 2 ** 20),
      arch: facts.arch,
      gpus: facts.gpus.map(({ vendor, name, memory_mib }) => ({ vendor, name, memory_mib })),
    }
  );
}

/** The facts that need no agent; GPUs are unknown. */
export function inspectServerHost(): ServerHostFacts {
  return {
    cpus: availableParallelism(),
    memoryMib: Math.floor(totalmem() / 2 ** 20),
    arch: arch() === 'arm64' ? 'arm' : 'x86',
    gpus: [],
  };
}
