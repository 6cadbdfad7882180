import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { permanent } from '@dstack/ssh';
import type { TarFile } from './tar.ts';

export type Arch = 'x64' | 'arm64';

/** The loader that Node's binary names. */
export const LOADER_PATHS: Readonly<Record<Arch, string>> = {
  x64: '/lib64/ld-linux-x86-64.so.2',
  arm64: '/lib/ld-linux-aarch64.so.1',
};

/** The name of its copy beside the libraries. */
export const loaderName = (arch: Arch): string => basename(LOADER_PATHS[arch]);

/**
 * Libraries that the loader opens later: for the terminal's add-on, and for name lookups where
 * glibc has a separate library for that (before 2.34).
 */
const LATER = [
  'libutil.so.1',
  'librt.so.1',
  'libresolv.so.2',
  'libnss_files.so.2',
  'libnss_dns.so.2',
];
/** Sonames of glibc and the compiler; the other loaded libraries do not belong to Node. */
const OF_NODE = /^(ld-linux-.*|lib(c|m|dl|pthread|stdc\+\+|gcc_s|atomic)\.so\.\d+)$/;

/**
 * The libraries for Node on a host that has none: those of this process, or those that were put
 * into `dir` for another architecture. Rejects with a `HostError`.
 */
export async function nodeLibraries(arch: Arch, dir: string): Promise<TarFile[]> {
  const paths = existsSync(join(dir, loaderName(arch))) ? await inFolder(dir) : ownLibraries(arch);
  if (paths === null) {
    throw permanent(
      `this server (${process.platform} ${process.arch}) has no libraries to run Node there with: copy ${loaderName(arch)}, libc.so.6, libm.so.6, libdl.so.2, libpthread.so.0, libstdc++.so.6 and libgcc_s.so.1 of a Linux machine with ${arch} and glibc 2.28 or newer into ${dir} on the server`,
    );
  }
  return await Promise.all(
    paths.map(async (path) => ({ name: basename(path), bytes: await readFile(path) })),
  );
}

async function inFolder(dir: string): Promise<string[]> {
  return (await readdir(dir)).sort().map((name) => join(dir, name));
}

function ownLibraries(arch: Arch): string[] | null {
  if (process.platform !== 'linux' || process.arch !== arch) return null;
  // Looking up the names of network neighbours would take most of the time of a report.
  Object.assign(process.report, { excludeNetwork: true });
  const { sharedObjects } = process.report.getReport() as { sharedObjects?: string[] };
  const loaded = (sharedObjects ?? []).filter((path) => OF_NODE.test(basename(path)));
  const names = new Set(loaded.map((path) => basename(path)));
  if (!names.has(loaderName(arch)) || !names.has('libc.so.6')) return null;
  const dir = dirname(loaded.find((path) => basename(path) === 'libc.so.6') ?? '');
  const later = LATER.map((name) => join(dir, name)).filter((path) => existsSync(path));
  return [...loaded, ...later].sort((a, b) => (basename(a) < basename(b) ? -1 : 1));
}
