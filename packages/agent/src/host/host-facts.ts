import { statfsSync } from 'node:fs';
import { availableParallelism, cpus, hostname, networkInterfaces, totalmem } from 'node:os';
import type { HostFacts } from '@dstack/contract/agent';
import { findGpus } from './host-gpus.ts';

/** Collects the facts about this host. `diskPath` is on the disk of images and jobs. */
export async function findHostFacts(diskPath: string): Promise<Omit<HostFacts, 'ssh_host_key'>> {
  const { gpus, driver } = await findGpus();
  return {
    hostname: hostname(),
    arch: process.arch === 'arm64' ? 'arm' : 'x86',
    cpus: cpus().length || availableParallelism(),
    memory_bytes: totalmem(),
    disk_bytes: freeBytes(diskPath),
    addresses: addresses(),
    gpus,
    gpu_driver: driver,
  };
}

function freeBytes(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return 0;
  }
}

function addresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).flatMap(({ cidr, internal }) => (cidr && !internal ? [cidr] : [])),
  );
}
