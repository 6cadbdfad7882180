/** The package as `npm install -g` leaves it, without a registry. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { shellQuote } from '@dstack/contract/shell';

const root = resolve(import.meta.dirname, '..');
const nodePackage = join(root, 'node_modules', `node-linux-${process.arch}`);

/** The tools that the start script of the package calls. */
const TOOLS = ['sh', 'env', 'uname', 'readlink', 'dirname'];

const run = (program: string, args: readonly string[]): string =>
  execFileSync(program, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/**
 * Packs the built product into an empty folder, and returns the path of the file. Suites that run at the
 * same time wait for each other, because one of them may be replacing the documentation.
 */
export function pack(folder: string, { docs }: { readonly docs: boolean }): string {
  const options = `--ignore-scripts --loglevel=error --pack-destination ${folder}`;
  const build = docs ? `${shellQuote(process.execPath)} scripts/build.ts docs && ` : '';
  mkdirSync(join(root, '.cache'), { recursive: true });
  run('flock', ['.cache/pack.lock', 'sh', '-c', `${build}npm pack ${options}`]);
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '');
}

/**
 * Installs the file below `/opt/dstack` of an otherwise empty root file system, which gets nothing
 * else but a shell and the libraries of Node. Returns the folder of the installed package.
 */
export function installInto(empty: string, packed: string): string {
  const prefix = join(empty, 'opt', 'dstack');
  mkdirSync(prefix, { recursive: true });
  // The optional package, Node, is copied from the installation: the test needs no registry.
  const offline = ['--offline', '--omit=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  run('npm', ['install', '--global', '--prefix', prefix, ...offline, packed]);
  const installed = join(prefix, 'lib', 'node_modules', 'dstack');
  cpSync(nodePackage, join(installed, 'node_modules', `node-linux-${process.arch}`), {
    recursive: true,
  });
  const libraries = run('ldd', [join(nodePackage, 'bin', 'node')]).match(/\/\S+/g) ?? [];
  for (const library of libraries) {
    mkdirSync(join(empty, dirname(library)), { recursive: true });
    copyFileSync(library, join(empty, library));
  }
  mkdirSync(join(empty, 'bin'));
  cpSync(run('which', ['busybox']).trim(), join(empty, 'bin', 'busybox'));
  for (const name of TOOLS) symlinkSync('busybox', join(empty, 'bin', name));
  return installed;
}
