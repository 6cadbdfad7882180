import { describe, expect, it } from 'vitest';
import { type LibraryFacts, libraryProblem } from './c-library.ts';

const NONE: LibraryFacts = { getconf: '', ldd: '', loader: '', musl: '' };
const LOADER = '/lib64/ld-linux-x86-64.so.2';
const MUSL = '/lib/ld-musl-x86_64.so.1';

const problem = (facts: Partial<LibraryFacts>) => libraryProblem({ ...NONE, ...facts });

describe('the C library of a host', () => {
  it.each([
    ['Debian 12', { getconf: 'glibc 2.36', ldd: 'ldd (Debian GLIBC 2.36-9+deb12u14) 2.36' }],
    ['Ubuntu 20.04', { getconf: 'glibc 2.31', ldd: 'ldd (Ubuntu GLIBC 2.31-0ubuntu9.16) 2.31' }],
    ['Rocky 8', { getconf: 'glibc 2.28', ldd: 'ldd (GNU libc) 2.28' }],
    ['a host without getconf', { ldd: 'ldd (GNU libc) 2.34' }],
    ['a Debian with the package musl', { getconf: 'glibc 2.36', musl: MUSL }],
  ])('does for Node on %s', (_host, facts) => {
    expect(problem({ loader: LOADER, ...facts })).toBeNull();
  });

  it.each([
    ['CentOS 7', { getconf: 'glibc 2.17', ldd: 'ldd (GNU libc) 2.17' }, /is 2\.17, older than/],
    [
      'Ubuntu 18.04',
      { getconf: 'glibc 2.27', ldd: 'ldd (Ubuntu GLIBC 2.27-3ubuntu1.6) 2.27' },
      /is 2\.27, older/,
    ],
  ])('is too old on %s', (_host, facts, why) => {
    expect(problem({ loader: LOADER, ...facts })).toMatch(why);
  });

  it.each([
    ['Alpine', { ldd: 'musl libc (x86_64)', musl: MUSL }, /musl/],
    ['Alpine with gcompat', { ldd: 'musl libc (x86_64)', musl: MUSL, loader: LOADER }, /musl/],
    ['an Alpine without ldd', { ldd: 'sh: ldd: not found', musl: MUSL }, /musl/],
    ['busybox alone', { ldd: 'sh: ldd: not found' }, /no glibc/],
    [
      'NixOS',
      { getconf: 'glibc 2.40', ldd: 'ldd (GNU libc) 2.40' },
      /not where programs look for it/,
    ],
  ])('cannot be used on %s', (_host, facts, why) => {
    expect(problem(facts)).toMatch(why);
  });
});
