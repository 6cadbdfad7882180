import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./registry-program.ts', import.meta.url));
const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';

export interface TestRegistryOptions {
  /** Reachable only from this process's network namespace; by default from this computer. */
  readonly networkOf?: number;
  /** Reachable only from the network namespace of this file. */
  readonly network?: string;
  /** By default a free one. */
  readonly port?: number;
  /** Who may pull: every caller, or `user` with the password `secret`, directly or by a token. */
  readonly access?: 'none' | 'basic' | 'bearer';
}

export interface TestImage {
  /** Bytes of a tar archive, not compressed. */
  readonly layers: readonly Buffer[];
  readonly config?: Readonly<Record<string, unknown>>;
  /** Whether the name is a list of platforms, of which this is `linux/amd64`. */
  readonly listed?: boolean;
}

/** A container registry that serves the images it was given; pushing is not supported. */
export class TestRegistry {
  readonly #dir: string;
  readonly #process: ChildProcess;
  readonly #port: number;

  private constructor(dir: string, child: ChildProcess, port: number) {
    this.#dir = dir;
    this.#process = child;
    this.#port = port;
  }

  static async start(options: TestRegistryOptions = {}): Promise<TestRegistry> {
    const { networkOf, access = 'none', port: wanted = 0 } = options;
    const network = options.network ?? (networkOf ? `/proc/${networkOf}/ns/net` : null);
    const dir = mkdtempSync(join(tmpdir(), 'registry-'));
    mkdirSync(join(dir, 'blobs'));
    mkdirSync(join(dir, 'manifests'));
    const around = network === null ? [] : ['nsenter', `--net=${network}`];
    const [command = '', ...args] = [
      ...around,
      process.execPath,
      PROGRAM,
      dir,
      access,
      String(wanted),
    ];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [port] = await once(child.stdout as NodeJS.ReadableStream, 'data');
    return new TestRegistry(dir, child, Number(port));
  }

  /** `host:port`, as in an image's name; daemons accept loopback without encryption. */
  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Requests so far, as `GET /v2/…`. */
  get requests(): readonly string[] {
    const path = join(this.#dir, 'requests');
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  }

  /** Adds an image and returns its digest; `name` includes its tag. */
  add(name: string, image: TestImage): string {
    const layers = image.layers.map((layer) => this.#blob(layer));
    const diffs = layers.map((layer) => layer.digest);
    const config = {
      architecture: 'amd64',
      os: 'linux',
      config: image.config ?? {},
      rootfs: { type: 'layers', diff_ids: diffs },
    };
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: {
        mediaType: 'application/vnd.docker.container.image.v1+json',
        ...this.#blob(Buffer.from(JSON.stringify(config))),
      },
      layers: layers.map((layer) => ({
        mediaType: 'application/vnd.docker.image.rootfs.diff.tar',
        ...layer,
      })),
    };
    const one = this.#blob(Buffer.from(JSON.stringify(manifest)));
    const top = image.listed ? this.#listed(one) : one;
    const [repo = '', tag = 'latest'] = name.split(':');
    const path = join(this.#dir, 'manifests', repo, tag);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, readFileSync(join(this.#dir, 'blobs', top.digest)));
    return top.digest;
  }

  /** Stops large layers half way until it is called with false. */
  hold(on: boolean): void {
    const path = join(this.#dir, 'hold');
    if (on) writeFileSync(path, '');
    else rmSync(path, { force: true });
  }

  async close(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #listed(manifest: { readonly digest: string; readonly size: number }) {
    const other = { ...manifest, digest: `sha256:${'0'.repeat(64)}` };
    const index = {
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: [
        { mediaType: MANIFEST, ...other, platform: { os: 'linux', architecture: 's390x' } },
        { mediaType: MANIFEST, ...manifest, platform: { os: 'linux', architecture: 'amd64' } },
      ],
    };
    return this.#blob(Buffer.from(JSON.stringify(index)));
  }

  #blob(bytes: Buffer): { readonly digest: string; readonly size: number } {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    writeFileSync(join(this.#dir, 'blobs', digest), bytes);
    return { digest, size: bytes.length };
  }
}

/** A layer of one file, as a tar archive. */
export function layerOf(path: string, content: Buffer, mode = 0o644): Buffer {
  const dir = mkdtempSync(join(tmpdir(), 'layer-'));
  try {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), content, { mode });
    return execFileSync('tar', ['-C', dir, '-cf', '-', '.'], { maxBuffer: 256 * 1024 * 1024 });
  } finally {
    rmSync(dir, { recursive: true });
  }
}
