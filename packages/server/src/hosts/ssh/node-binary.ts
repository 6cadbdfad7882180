import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { permanent, temporary } from '@dstack/ssh';
import type { Arch } from './libraries.ts';
import type { NodePackage } from './node-package.ts';

const run = promisify(execFile);

export interface NodeSource {
  /** The folder of downloads for other architectures. */
  readonly cacheDir: string;
  readonly pack: NodePackage;
  /** For tests: another kind of host, and another environment for npm. */
  readonly self?: { readonly platform: string; readonly arch: string; readonly execPath: string };
  readonly env?: NodeJS.ProcessEnv;
}

/** Time for 45 MB over a slow line. */
const FETCH_MS = 10 * 60_000;

/**
 * Path of the Node binary for Linux of an architecture: this process's own, that of the package
 * beside it, or the package's from the registry that npm is configured for. Rejects with a
 * `HostError`.
 */
export async function nodeBinary(arch: Arch, source: NodeSource): Promise<string> {
  const self = source.self ?? process;
  if (self.platform === 'linux' && self.arch === arch) return self.execPath;
  const name = `node-linux-${arch}`;
  const beside = join(dirname(dirname(dirname(self.execPath))), name, 'bin', 'node');
  if (existsSync(beside)) return beside;
  const target = join(source.cacheDir, `${name}-${source.pack.version}`, 'bin', 'node');
  if (!existsSync(target)) await fetchByNpm(arch, `${name}@${source.pack.version}`, target, source);
  return target;
}

async function fetchByNpm(
  arch: Arch,
  spec: string,
  target: string,
  { cacheDir, pack, env }: NodeSource,
): Promise<void> {
  await mkdir(cacheDir, { recursive: true, mode: 0o700 });
  const dir = await mkdtemp(join(cacheDir, 'fetch-'));
  try {
    const archive = await download(spec, dir, target, env);
    await checkIntegrity(archive, pack.integrity[arch], spec);
    await run('tar', ['-xzf', archive, '-C', dir, 'package/bin/node']);
    const binary = join(dir, 'package', 'bin', 'node');
    await chmod(binary, 0o755);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await rename(binary, target);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** npm checks downloads against the hash of the registry. */
async function download(
  spec: string,
  dir: string,
  target: string,
  env = process.env,
): Promise<string> {
  const args = ['pack', spec, '--json', '--pack-destination', dir, '--ignore-scripts'];
  try {
    const { stdout } = await run('npm', args, { env, timeout: FETCH_MS, cwd: dir });
    const [packed] = JSON.parse(stdout) as { filename: string }[];
    if (packed === undefined) throw new Error(`npm packed nothing for ${spec}`);
    return join(dir, packed.filename);
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const why = absent ? 'npm is not installed on the server' : outputOf(error);
    const text = `this server has no Node for the host's processor and could not fetch ${spec} (${why}). Put bin/node of that npm package at ${target} on the server`;
    // The registry may be available again soon; a missing npm will not appear by itself.
    throw absent ? permanent(text, error) : temporary(text, error);
  }
}

function outputOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  const lines = (stderr ?? '').split('\n').map((line) => line.replace(/^npm (error|ERR!) ?/, ''));
  const useful = lines.filter((line) => line.trim() !== '' && !line.startsWith('A complete log'));
  return useful.slice(0, 2).join(' ').slice(0, 200) || message;
}

async function checkIntegrity(path: string, expected: string | undefined, spec: string) {
  if (expected === undefined) return;
  const hash = createHash('sha512');
  await pipeline(createReadStream(path), hash);
  if (`sha512-${hash.digest('base64')}` === expected) return;
  throw permanent(
    `the npm registry served a ${spec} that is not the one this version of dstack was made with: check the registry that npm is set up for`,
  );
}
