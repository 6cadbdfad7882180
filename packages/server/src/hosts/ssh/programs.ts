import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, gzipSync } from 'node:zlib';
import { permanent } from './host-error.ts';

/** Something to be put on hosts, named by its content so that it travels once. */
export interface Program {
  /** `node-<sha>` or `agent-<sha>`: the name of its folder there. */
  readonly name: string;
  /** The compressed content. */
  open(): Readable;
}

export interface ProgramsOptions {
  /** The agent's bundle, a folder; it is built, not run from source. */
  readonly agentDir: string;
  /** For compressed copies. */
  readonly cacheDir: string;
}

/** Digits of a SHA-256 that name a folder. */
const DIGITS = 16;

/** What hosts are given: Node and the agent's bundle, compressed once per server. */
export class Programs {
  readonly #options: ProgramsOptions;
  readonly #nodes = new Map<string, Promise<Program>>();
  #agent: Promise<Program> | null = null;

  constructor(options: ProgramsOptions) {
    this.#options = options;
  }

  /** Gzip of the binary itself. */
  node(arch: 'x64' | 'arm64'): Promise<Program> {
    const known = this.#nodes.get(arch);
    if (known) return known;
    const made = compressedNode(nodeBinary(arch), this.#options.cacheDir);
    made.catch(() => this.#nodes.delete(arch));
    this.#nodes.set(arch, made);
    return made;
  }

  /** Gzip of a tar of the bundle. */
  agent(): Promise<Program> {
    this.#agent ??= compressedAgent(this.#options.agentDir);
    this.#agent.catch(() => {
      this.#agent = null;
    });
    return this.#agent;
  }
}

/** This process's own Node, or that of the package for the other architecture beside it. */
function nodeBinary(arch: 'x64' | 'arm64'): string {
  if (process.platform === 'linux' && process.arch === arch) return process.execPath;
  const packages = dirname(dirname(dirname(process.execPath)));
  const found = join(packages, `node-linux-${arch}`, 'bin', 'node');
  if (existsSync(found)) return found;
  throw permanent(
    `The host is ${arch}, and this server has no Node for it: install the npm package node-linux-${arch}@${process.versions.node} beside the server (npm install --force --no-save)`,
  );
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
  return { name, open: () => createReadStream(path) };
}

async function compressedAgent(dir: string): Promise<Program> {
  if (!existsSync(join(dir, 'main.js'))) {
    throw permanent(`The agent's bundle is not in ${dir}; run \`npm run build\` first`);
  }
  const names = (await readdir(dir)).sort();
  const files = await Promise.all(
    names.map(async (name) => ({ name, bytes: await readFile(join(dir, name)) })),
  );
  const tar = tarOf(files);
  const name = `agent-${createHash('sha256').update(tar).digest('hex').slice(0, DIGITS)}`;
  const compressed = gzipSync(tar);
  return { name, open: () => Readable.from([compressed]) };
}

const BLOCK = 512;

/** Plain files in POSIX ustar format, always the same bytes for the same files. */
export function tarOf(files: readonly { readonly name: string; readonly bytes: Buffer }[]): Buffer {
  const parts = files.flatMap(({ name, bytes }) => [
    header(name, bytes.length),
    bytes,
    Buffer.alloc(-bytes.length & (BLOCK - 1)),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(name: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, '0')}\0`;
  block.write(name, 0, 100);
  block.write(octal(0o755, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(size, 12), 124);
  block.write(octal(0, 12), 136);
  block.write(' '.repeat(8), 148);
  block.write('0', 156);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
