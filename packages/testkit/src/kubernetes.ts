/** Real Kubernetes clusters on this computer, made by `kubernetes/make-kubernetes.sh`. */
import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { openBed } from './beds.ts';

const run = promisify(execFile);
const MAKER = resolve(import.meta.dirname, '..', 'kubernetes', 'make-kubernetes.sh');
/** Kubernetes is built first if it was not built before. */
const BUILD_MS = 30 * 60_000;
const MAX_OUTPUT = 64 * 1024 * 1024;

/** Names what clusters need and this computer lacks; null = nothing. */
export function kubernetesMissing(): string | null {
  if (process.getuid?.() !== 0) return 'root';
  return spawnSync('go', ['version']).status === 0 ? null : 'the go command';
}

export interface KubernetesOptions {
  /** Letters that distinguish it from other clusters, and the second part of its networks. */
  readonly prefix: string;
  readonly network: number;
  readonly nodes: number;
  /** CPUS:GIB[:GPUS[:PRODUCT]] of each node. */
  readonly sizes: string;
}

export interface TestKubernetes extends AsyncDisposable {
  readonly kubeconfig: string;
  readonly context: string;
  /** The name of a node; the first one is 1. */
  node(number: number): string;
  /** Rejects with the output of a failed command. */
  kubectl(...args: readonly string[]): Promise<string>;
  /** Gives every node the images of an archive. */
  load(tar: string): Promise<void>;
  /** Kills the API server with SIGKILL; the cluster starts it again. */
  killApiServer(): Promise<void>;
  /** Cuts a node off from the network, or connects it again; the first one is 1. */
  setNodeLink(node: number, state: 'down' | 'up'): Promise<void>;
  /**
   * Makes an image from a folder; the files of a second one replace those of the first. Nodes unpack a
   * folder that is unchanged only once.
   */
  image(name: string, dir: string, config: object, above?: string): Promise<void>;
}

/** Starts a cluster, in a few seconds if its programs were built before. */
export async function startKubernetes(options: KubernetesOptions): Promise<TestKubernetes> {
  const { prefix, network, nodes, sizes } = options;
  const { dir, env } = openBed({
    // Not in memory: the file systems of the nodes lie here.
    at: '/var/tmp/dstack-kubernetes-',
    script: MAKER,
    settings: (folder) => ({
      ...{ BASE: join(folder, 'cluster'), PREFIX: prefix, SIZES: sizes, NET: `10.${network}.0` },
      ...{ PODNET: `10.${network + 1}`, SVCNET: `10.${network + 2}` },
    }),
  });
  const base = join(dir, 'cluster');
  const make = async (...args: readonly string[]) =>
    (await run(MAKER, args as string[], { env, timeout: BUILD_MS, maxBuffer: MAX_OUTPUT })).stdout;
  const end = async () => {
    await make('down');
    rmSync(dir, { recursive: true });
  };
  try {
    await make('up', String(nodes));
  } catch (error) {
    await end();
    throw error;
  }
  return {
    kubeconfig: join(base, 'kubeconfig'),
    context: `test-kubernetes-${prefix}`,
    node: (number) => `${prefix}${number}`,
    kubectl: (...args) => make('kubectl', ...args),
    load: async (tar) => void (await make('load', tar)),
    killApiServer: async () => {
      for (const pid of processesWith(['--advertise-address', `10.${network}.0.10`])) {
        process.kill(pid, 'SIGKILL');
      }
    },
    setNodeLink: async (node, state) => {
      await run('ip', ['link', 'set', `${prefix}v${node}`, state]);
    },
    image: async (name, dir, config, above) => {
      await make('image', name, dir, JSON.stringify(config), ...(above ? [above] : []));
    },
    [Symbol.asyncDispose]: end,
  };
}

/** Ids of the processes that have these arguments, one after the other. */
function processesWith(words: readonly string[]): number[] {
  const wanted = `\0${words.join('\0')}\0`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && commandLine(name).includes(wanted))
    .map(Number);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It has ended.
    return '';
  }
}
