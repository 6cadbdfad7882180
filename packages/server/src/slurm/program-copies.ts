/** The agent on a cluster: in the home directory of the login user, which all nodes share. */
import { BusyError } from '@dstack/backends';
import type { ClusterPrograms, SlurmClusterConfig } from '@dstack/backends/slurm';
import { permanent } from '../hosts/host-error.ts';
import { HostShell, pairs } from '../hosts/ssh/host-shell.ts';
import { type Arch, loaderName } from '../hosts/ssh/libraries.ts';
import type { Program } from '../hosts/ssh/program.ts';
import type { Programs } from '../hosts/ssh/programs.ts';
import type { ClusterLogins } from './logins.ts';

/** Time for 50 MB over a slow line. */
const UPLOAD_MS = 15 * 60_000;
/** A call of a backend has a limit; an order comes again, and the copy goes on meanwhile. */
const PATIENCE_MS = 30_000;
const MACHINES: Readonly<Record<string, Arch>> = { x86_64: 'x64', aarch64: 'arm64' };

const ABOUT = `
mkdir -p "$HOME/.dstack/programs" && chmod 700 "$HOME/.dstack"
cd "$HOME/.dstack/programs" && echo "dir=$(pwd -P)"
echo "machine=$(uname -m)"
for name in *; do echo "have:$name=yes"; done
`;

export class ClusterProgramCopies {
  readonly #logins: ClusterLogins;
  readonly #programs: Programs;
  readonly #delivered = new Map<string, Promise<ClusterPrograms>>();

  constructor(logins: ClusterLogins, programs: Programs) {
    this.#logins = logins;
    this.#programs = programs;
  }

  /** Throws `BusyError` while the first copy takes longer than a call may. */
  async deliver(cluster: SlurmClusterConfig): Promise<ClusterPrograms> {
    const key = `${cluster.user}@${cluster.hostname}:${cluster.port}`;
    const known = this.#delivered.get(key);
    const delivering = known ?? this.#deliver(cluster);
    if (!known) {
      this.#delivered.set(key, delivering);
      delivering.catch(() => this.#delivered.delete(key));
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const text = `copying the agent to cluster ${cluster.name} takes longer`;
      timer = setTimeout(() => reject(new BusyError(text)), PATIENCE_MS);
    });
    try {
      return await Promise.race([delivering, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #deliver(cluster: SlurmClusterConfig): Promise<ClusterPrograms> {
    const connection = await this.#logins.separate(cluster);
    try {
      return await this.#copy(new HostShell(connection, false));
    } finally {
      connection.close();
    }
  }

  async #copy(shell: HostShell): Promise<ClusterPrograms> {
    const about = pairs(await shell.run('Preparing the home directory', ABOUT));
    const arch = MACHINES[about.get('machine') ?? ''];
    const dir = about.get('dir') ?? '';
    if (arch === undefined || !/^\/[\w./@+-]+$/.test(dir)) {
      throw permanent(
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
    const has = (program: Program) => about.has(`have:${program.name}`);
    const unpackTar = 'gunzip -c | tar -xf - -C TARGET.part';
    for (const [program, unpack] of [
      [libraries, unpackTar],
      [agent, unpackTar],
      [node, 'gunzip -c > TARGET.part/node; chmod 755 TARGET.part/node'],
    ] as const) {
      if (!has(program)) await put(shell, dir, program, unpack);
    }
    return {
      dir,
      loader: `${libraries.name}/${loaderName(arch)}`,
      libraries: libraries.name,
      node: `${node.name}/node`,
      main: `${agent.name}/main.js`,
    };
  }
}

async function put(shell: HostShell, dir: string, program: Program, unpack: string): Promise<void> {
  // Two servers may copy the same program at the same time.
  const script = [
    `set -e; umask 022; part=TARGET.$$; rm -rf "$part"; mkdir -p "$part"`,
    unpack.replaceAll('TARGET.part', '"$part"'),
    `if [ -e TARGET ]; then rm -rf "$part"; else mv "$part" TARGET; fi`,
  ].join('; ');
  const command = script.replaceAll('TARGET', `${dir}/${program.name}`);
  await shell.feed(`Uploading ${program.name}`, command, program.open(), UPLOAD_MS);
}
