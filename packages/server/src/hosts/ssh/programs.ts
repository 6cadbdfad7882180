import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { permanent } from '@dstack/ssh';
import { compressedNode } from './compressed-node.ts';
import { type Arch, nodeLibraries } from './libraries.ts';
import { nodeBinary } from './node-binary.ts';
import { nodePackage } from './node-package.ts';
import { DIGITS, type Program } from './program.ts';
import { type TarFile, tarOf } from './tar.ts';

export interface ProgramsOptions {
  /** The agent's bundle, a folder; it is built, not run from source. */
  readonly agentDir: string;
  /**
   * The folder of compressed copies, and of files that were downloaded or put there for other
   * architectures.
   */
  readonly cacheDir: string;
}

/** The programs for hosts: Node, its libraries if they are missing, and the agent's bundle. */
export class Programs {
  readonly #options: ProgramsOptions;
  readonly #made = new Map<string, Promise<Program>>();

  constructor(options: ProgramsOptions) {
    this.#options = options;
  }

  /**
   * Begins with the programs that most hosts need; a failure is reported when one of them is used.
   */
  warm(): void {
    this.agent().catch(() => {});
    if (process.platform !== 'linux') return;
    if (process.arch === 'x64' || process.arch === 'arm64') this.node(process.arch).catch(() => {});
  }

  /** Gzip of the binary itself. Rejects with a `HostError`, like all of these. */
  node(arch: Arch): Promise<Program> {
    const { cacheDir } = this.#options;
    return this.#once(`node-${arch}`, async () =>
      compressedNode(arch, await nodeBinary(arch, { cacheDir, pack: nodePackage() }), cacheDir),
    );
  }

  /** Gzip of a tar of loader and libraries. */
  libraries(arch: Arch): Promise<Program> {
    const dir = join(this.#options.cacheDir, `libraries-${arch}`);
    return this.#once(`libraries-${arch}`, async () =>
      compressedTar('libraries', await nodeLibraries(arch, dir)),
    );
  }

  /** Gzip of a tar of the bundle. */
  agent(): Promise<Program> {
    return this.#once('agent', async () =>
      compressedTar('agent', await bundle(this.#options.agentDir)),
    );
  }

  #once(key: string, make: () => Promise<Program>): Promise<Program> {
    const known = this.#made.get(key);
    if (known) return known;
    const made = make();
    made.catch(() => this.#made.delete(key));
    this.#made.set(key, made);
    return made;
  }
}

async function bundle(dir: string): Promise<TarFile[]> {
  if (!existsSync(join(dir, 'main.js'))) {
    throw permanent(`The agent's bundle is not in ${dir}; run \`npm run build\` first`);
  }
  const names = (await readdir(dir)).sort();
  return await Promise.all(
    names.map(async (name) => ({ name, bytes: await readFile(join(dir, name)) })),
  );
}

async function compressedTar(kind: string, files: readonly TarFile[]): Promise<Program> {
  const tar = await tarOf(files);
  const name = `${kind}-${createHash('sha256').update(tar).digest('hex').slice(0, DIGITS)}`;
  const compressed = gzipSync(tar);
  return {
    ...{ name, size: compressed.length, unpacked: tar.length },
    open: () => Readable.from([compressed]),
  };
}
