/** Node's own lower bound. */
const OLDEST_GLIBC = [2, 28] as const;

/** What a host says about its C library, each in the words of the tool that was asked. */
export interface LibraryFacts {
  /** `getconf GNU_LIBC_VERSION`. */
  readonly getconf: string;
  /** First line of `ldd --version`, whichever stream it came on. */
  readonly ldd: string;
  /** Path of the loader that Node's binary names; empty where it is absent. */
  readonly loader: string;
  /** Path of musl's loader; empty where there is none. */
  readonly musl: string;
}

/**
 * Why Node cannot use the host's own C library, as a clause (`it has musl …`); null where it can.
 * Its own libraries then travel with it. That a host has a fitting glibc is no proof that all else
 * is there (`libstdc++`), so whoever installs Node tries it too.
 */
export function libraryProblem({ getconf, ldd, loader, musl }: LibraryFacts): string | null {
  const version = glibcVersion(getconf) ?? glibcVersion(ldd);
  // Some glibc hosts have musl's loader besides, so it counts only where nothing speaks of glibc.
  if (version === null) {
    return musl || /musl/i.test(ldd) ? 'it has musl instead of glibc' : 'it has no glibc';
  }
  const [major, minor] = version;
  const [needMajor, needMinor] = OLDEST_GLIBC;
  if (major < needMajor || (major === needMajor && minor < needMinor)) {
    return `its glibc is ${major}.${minor}, older than ${needMajor}.${needMinor}`;
  }
  // As on NixOS, whose programs name loaders of their own.
  return loader === '' ? 'its glibc is not where programs look for it' : null;
}

function glibcVersion(text: string): readonly [number, number] | null {
  if (!/glibc|GNU libc/i.test(text)) return null;
  // The distribution's own number stands before it: `ldd (Debian GLIBC 2.36-9+deb12u14) 2.36`.
  const found = /(?<!\d)(\d+)\.(\d+)$/.exec(text.trim());
  return found ? [Number(found[1]), Number(found[2])] : null;
}
