import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, gzipSync } from 'node:zlib';
import { permanent } from './host-error.ts';
import { type Arch, nodeLibraries } from './libraries.ts';
import { nodeBinary } from './node-binary.ts';
import { nodePackage } from './node-package.ts';
import { type TarFile, tarOf } from './tar.ts';

/** Something to be put on hosts, named by its content so that it travels once. */
export interface Program {
  /** `node-<sha>`, `libraries-<sha>` or `agent-<sha>`: the name of its folder there. */
  readonly name: string;
  /** Bytes that travel, and bytes that lie there in the end. */
  readonly size: number;
  readonly unpacked: number;
  /** The compressed content. */
  open(): Readable;
}

export interface ProgramsOptions {
  /** The agent's bundle, a folder; it is built, not run from source. */
  readonly agentDir: string;
  /** For compressed copies, and for what is fetched or put there for other architectures. */
  readonly cacheDir: string;
}

/** Digits of a SHA-256 that name a folder. */
const DIGITS = 16;

/** What hosts are given: Node, its libraries where they are missing, and the agent's bundle. */
export class Programs {
  readonly #options: ProgramsOptions;
  readonly #made = new Map<string, Promise<Program>>();

  constructor(options: ProgramsOptions) {
    this.#options = options;
  }

  /** Begins with what most hosts will need; whoever needs it hears of its failure. */
  warm(): void {
    this.agent().catch(() => {});
    if (process.platform !== 'linux') return;
    if (process.arch === 'x64' || process.arch === 'arm64') this.node(process.arch).catch(() => {});
  }

  /** Gzip of the binary itself. Rejects with a `HostError`, as all of these. */
  node(arch: Arch): Promise<Program> {
    const { cacheDir } = this.#options;
    return this.#once(`node-${arch}`, async () =>
      compressedNode(await nodeBinary(arch, { cacheDir, pack: nodePackage() }), cacheDir),
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

async function compressedNode(binary: string, cacheDir: string): Promise<Program> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(binary), hash);
  const name = `node-${hash.digest('hex').slice(0, DIGITS)}`;
  const path = join(cacheDir, `${name}.gz`);
  if (!existsSync(path)) {
    await mkdir(cacheDir, { recursive: true, mode: 0o700 });
    const part = `${path}.${process.pid}`;
    try {
      await pipeline(createReadStream(binary), createGzip({ level: 4 }), createWriteStream(part));
      await rename(part, path);
    } finally {
      await rm(part, { force: true });
    }
  }
  const [{ size }, { size: unpacked }] = await Promise.all([stat(path), stat(binary)]);
  return { name, size, unpacked, open: () => createReadStream(path) };
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

function compressedTar(kind: string, files: readonly TarFile[]): Program {
  const tar = tarOf(files);
  const name = `${kind}-${createHash('sha256').update(tar).digest('hex').slice(0, DIGITS)}`;
  const compressed = gzipSync(tar);
  return {
    ...{ name, size: compressed.length, unpacked: tar.length },
    open: () => Readable.from([compressed]),
  };
}
