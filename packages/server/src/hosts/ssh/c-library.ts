/** Node's own lower bound. */
const OLDEST_GLIBC = [2, 28] as const;

/** The output of tools on a host about its C library. */
export interface LibraryFacts {
  /** `getconf GNU_LIBC_VERSION`. */
  readonly getconf: string;
  /** First line of `ldd --version`, on either stream. */
  readonly ldd: string;
  /** Path of the loader that Node's binary names; empty where it is absent. */
  readonly loader: string;
  /** Path of musl's loader; empty where there is none. */
  readonly musl: string;
}

/**
 * Why Node cannot use the host's own C library, as a clause (`it has musl …`); null if it can.
 * Otherwise its own libraries are copied too. A suitable glibc does not prove that everything else
 * exists (`libstdc++`), so the installation also tries to start Node.
 */
export function libraryProblem({ getconf, ldd, loader, musl }: LibraryFacts): string | null {
  const version = glibcVersion(getconf) ?? glibcVersion(ldd);
  // Some glibc hosts also have musl's loader, so it counts only if nothing indicates glibc.
  if (version === null) {
    return musl || /musl/i.test(ldd) ? 'it has musl instead of glibc' : 'it has no glibc';
  }
  const [major, minor] = version;
  const [needMajor, needMinor] = OLDEST_GLIBC;
  if (major < needMajor || (major === needMajor && minor < needMinor)) {
    return `its glibc is ${major}.${minor}, older than ${needMajor}.${needMinor}`;
  }
  // This is so on NixOS, whose programs use other loaders.
  return loader === '' ? 'its glibc is not where programs look for it' : null;
}

function glibcVersion(text: string): readonly [number, number] | null {
  if (!/glibc|GNU libc/i.test(text)) return null;
  // The distribution's own number stands before it: `ldd (Debian GLIBC 2.36-9+deb12u14) 2.36`.
  const found = /(?<!\d)(\d+)\.(\d+)$/.exec(text.trim());
  return found ? [Number(found[1]), Number(found[2])] : null;
}
