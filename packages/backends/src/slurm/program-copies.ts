/** The agent on a cluster: in the home directory of the login user, which all nodes share. */
import { PreparingError } from '../base/errors.ts';
import type { OnPreparing } from '../base/instance-port.ts';
import { type AgentProgram, type AgentPrograms, LOADERS } from '../base/programs.ts';
import type { ClusterPrograms } from './agent-program.ts';
import { nameOfWay, wayTo } from './cluster-way.ts';
import { CopyProgress } from './copy-progress.ts';
import { HomeShell } from './home-shell.ts';
import type { ClusterLogins } from './logins.ts';
import type { SlurmClusterConfig } from './partitions.ts';

/** Time for 50 MB over a slow line. */
const UPLOAD_MS = 15 * 60_000;
/** A call of a backend has a limit; an order comes again, and the copy goes on meanwhile. */
const PATIENCE_MS = 30_000;
const MACHINES: Readonly<Record<string, keyof typeof LOADERS>> = {
  x86_64: 'x64',
  aarch64: 'arm64',
};

/** The copies of a server that was cut off are removed by its shell there, or else an hour later. */
const ABOUT = `
mkdir -p "$HOME/.dstack/programs" && chmod 700 "$HOME/.dstack"
cd "$HOME/.dstack/programs" && echo "dir=$(pwd -P)"
find . -maxdepth 1 \\( -name '*-*.??????' -o -name '*-*.??????.tar' \\) -mmin +60 -exec rm -rf {} + 2>/dev/null
echo "machine=$(uname -m)"
for name in *; do echo "have:$name=yes"; done
`;

interface Delivery {
  readonly programs: Promise<ClusterPrograms>;
  readonly progress: CopyProgress;
}

export interface DeliverOptions {
  /** Called with the progress, unless all is there. */
  readonly report: OnPreparing;
  /** The programs were copied before, but the cluster does not have them any more. */
  readonly isLost?: boolean;
}

export class ClusterProgramCopies {
  readonly #logins: Pick<ClusterLogins, 'separate'>;
  readonly #programs: AgentPrograms;
  readonly #deliveries = new Map<string, Delivery>();
  readonly #patienceMs: number;

  constructor(
    logins: Pick<ClusterLogins, 'separate'>,
    programs: AgentPrograms,
    { patienceMs = PATIENCE_MS } = {},
  ) {
    this.#logins = logins;
    this.#programs = programs;
    this.#patienceMs = patienceMs;
  }

  /** Begins a copy, so that the first job need not wait for it. A job that needs it reports an error. */
  prepare(cluster: SlurmClusterConfig): void {
    this.#delivery(cluster).programs.catch(() => {});
  }

  /** Throws `PreparingError` while the first copy takes longer than a call may. */
  async deliver(
    cluster: SlurmClusterConfig,
    { report, isLost = false }: DeliverOptions,
  ): Promise<ClusterPrograms> {
    const before = this.#deliveries.get(keyOf(cluster));
    const delivery = this.#delivery(cluster, isLost);
    try {
      return await this.#awaited(delivery, report);
    } catch (error) {
      // One that was under way already may have failed for what is over now.
      if (delivery !== before || error instanceof PreparingError) throw error;
      return await this.#awaited(this.#delivery(cluster), report);
    }
  }

  async #awaited({ programs, progress }: Delivery, report: OnPreparing): Promise<ClusterPrograms> {
    const unfollow = progress.follow(report);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const fail = () => reject(new PreparingError(progress.text ?? progress.title));
      timer = setTimeout(fail, this.#patienceMs);
    });
    try {
      return await Promise.race([programs, late]);
    } finally {
      clearTimeout(timer);
      unfollow();
    }
  }

  #delivery(cluster: SlurmClusterConfig, isLost = false): Delivery {
    const key = keyOf(cluster);
    const known = this.#deliveries.get(key);
    // If several jobs find the programs missing, the first one has them copied.
    if (known && !(isLost && known.progress.isOver)) return known;
    const progress = new CopyProgress(cluster.hostname);
    const delivery = { programs: this.#deliver(cluster, progress), progress };
    this.#deliveries.set(key, delivery);
    const onEnd = () => progress.end();
    delivery.programs.then(onEnd, () => {
      onEnd();
      if (this.#deliveries.get(key) === delivery) this.#deliveries.delete(key);
    });
    return delivery;
  }

  async #deliver(cluster: SlurmClusterConfig, progress: CopyProgress): Promise<ClusterPrograms> {
    const connection = await this.#logins.separate(cluster);
    try {
      return await this.#copy(new HomeShell(connection), progress);
    } finally {
      connection.close();
    }
  }

  async #copy(shell: HomeShell, progress: CopyProgress): Promise<ClusterPrograms> {
    const about = await shell.pairs('Preparing the home directory', ABOUT);
    const arch = MACHINES[about.get('machine') ?? ''];
    const dir = about.get('dir') ?? '';
    if (arch === undefined || !/^\/[\w./@+-]+$/.test(dir)) {
      throw new Error(
        arch === undefined
          ? `Nodes of the architecture ${about.get('machine')} are not supported`
          : `The path of the home directory has characters that Slurm cannot mount: ${dir}`,
      );
    }
    // The images of jobs may have another C library, or none.
    const [node, libraries, agent] = await Promise.all([
      this.#programs.node(arch),
      this.#programs.libraries(arch),
      this.#programs.agent(),
    ]);
    // The archive is unpacked to a file first: the shell does not notice that the first program of a pipe fails.
    const unpackTar = 'gunzip -c > "$part.tar"; tar -xf "$part.tar" -C "$part"';
    const missing = [
      { program: libraries, unpack: unpackTar },
      { program: agent, unpack: unpackTar },
      { program: node, unpack: 'gunzip -c > "$part/node"; chmod 755 "$part/node"' },
    ].filter(({ program }) => !about.has(`have:${program.name}`));
    progress.begin(missing.reduce((sum, { program }) => sum + program.size, 0));
    for (const { program, unpack } of missing) await put(shell, dir, { program, unpack, progress });
    return {
      dir,
      loader: `${libraries.name}/${LOADERS[arch]}`,
      libraries: libraries.name,
      node: `${node.name}/node`,
      main: `${agent.name}/main.js`,
    };
  }
}

const keyOf = (cluster: SlurmClusterConfig): string => nameOfWay(wayTo(cluster));

interface Put {
  readonly program: AgentProgram;
  readonly unpack: string;
  readonly progress: CopyProgress;
}

async function put(shell: HomeShell, dir: string, { program, unpack, progress }: Put) {
  // Two servers may copy the same program at the same time, through two login nodes with one home. The input
  // also ends where the server is killed, and what has come until then is removed.
  const script = [
    'set -e; umask 022; part=$(mktemp -d TARGET.XXXXXX); chmod 755 "$part"',
    `trap 'rm -rf "$part" "$part.tar"' EXIT; trap 'exit 1' HUP INT TERM`,
    unpack,
    'if ! [ -e TARGET ]; then mv "$part" TARGET; fi',
  ].join('; ');
  const command = script.replaceAll('TARGET', `${dir}/${program.name}`);
  const data = progress.counted(program.open());
  await shell.feed(`Copying ${program.name}`, command, data, UPLOAD_MS);
}
