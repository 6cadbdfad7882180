import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openBed } from './beds.ts';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('../slurm/make-slurm.sh', import.meta.url));

/**
 * A real Slurm cluster in namespaces of this computer: a controller, a login node, and compute nodes
 * `gpu-1`, `gpu-2` (4 CPUs, 8 GiB, two GPUs each) and `cpu-1` (4 CPUs, 4 GiB). Partitions: `gpu`,
 * `cpu`, and `low`, whose jobs give way to those of the others.
 */
export interface TestCluster {
  /** The login node. */
  readonly hostname: string;
  readonly user: string;
  readonly privateKey: string;
  readonly keyPath: string;
  /** Runs a command on the login node as its user; returns its output, rejects if it fails. */
  login(script: string): Promise<string>;
  /** A command of the script, such as `kill gpu-1`, `cut login` or `stop slurmctld`. */
  control(...words: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

/** The missing requirement of `startSlurm`, null if there is none. */
export function slurmMissing(): string | null {
  if (process.getuid?.() !== 0) return 'root';
  const programs = [
    '/usr/sbin/slurmctld',
    '/usr/sbin/slurmd',
    '/usr/sbin/munged',
    '/usr/sbin/sshd',
  ];
  const files = [...programs, '/usr/include/slurm/spank.h', '/usr/bin/gcc', '/usr/bin/busybox'];
  return files.find((it) => !existsSync(it)) ?? null;
}

/** Clusters at the same time need networks of their own. */
export interface TestClusterOptions {
  /** The first three numbers of its addresses. */
  readonly net: string;
  /** Two letters for its links and namespaces. */
  readonly prefix: string;
  /** Its compute nodes as `CPUS:GIB[:GPUS[:TYPE]]`; omitted = those of `TestCluster`. */
  readonly sizes?: string;
}

export async function startSlurm(options: TestClusterOptions): Promise<TestCluster> {
  const { net, prefix, sizes } = options;
  const { dir, env } = openBed({
    at: join(tmpdir(), 'test-slurm-'),
    script: SCRIPT,
    settings: (folder) => ({
      ...{ BASE: join(folder, 'cluster'), NET: net, PREFIX: prefix },
      ...(sizes === undefined ? {} : { SIZES: sizes }),
    }),
  });
  const control = async (...words: readonly string[]): Promise<string> =>
    (await run('bash', [SCRIPT, ...words], { env })).stdout;
  const close = async () => {
    await control('down');
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const [line = ''] = (await control('up')).split('\n');
    const [hostname = '', , user = '', keyPath = ''] = line.split(' ');
    return {
      ...{ hostname, user, keyPath, control, close },
      privateKey: readFileSync(keyPath, 'utf8'),
      login: (script) => control('exec', 'login', 'su', user, '-c', script),
    };
  } catch (error) {
    await close().catch(() => {});
    throw error;
  }
}
