import { describe, expect, test } from 'vitest';
import { Problem, parseBranch, parseCommitHash, parseGitUrl, parsePlainText } from './index.ts';

describe('a commit', () => {
  test.each(['abc1', 'abc123', '0123456789abcdef0123456789abcdef01234567', 'f'.repeat(64)])(
    'is %s',
    (hash) => expect(parseCommitHash(hash)).toBe(hash),
  );

  test('may be written in upper case', () => {
    expect(parseCommitHash('ABC123F')).toBe('abc123f');
  });

  test.each([
    '--upload-pack=touch /tmp/x',
    '-abc123',
    'main',
    'HEAD',
    'abc',
    'a'.repeat(65),
    'abc123\n',
    'abc123^{commit}',
    '',
  ])('is not %j', (hash) => expect(parseCommitHash(hash)).toBeInstanceOf(Problem));
});

describe('a branch', () => {
  test.each([
    'main',
    'feature/x-1',
    'v1.2',
    'release_3',
    'dependabot/npm/@x/y-1',
    'ünïcode',
    'a@b',
  ])('is %s', (name) => expect(parseBranch(name)).toBe(name));

  test.each([
    ...['', '@', '-x', '--upload-pack=x', '.hidden', 'a/.b', 'a..b', 'a//b', '/a', 'a/', 'a.'],
    ...['a.lock', 'a.lock/b', 'a b', 'a~1', 'a^', 'a:b', 'a?', 'a*', 'a[b', 'a\\b', 'a@{1}'],
    ...['a\nb', 'a\u007f', 'x'.repeat(1001)],
  ])('is not %j', (name) => expect(parseBranch(name)).toBeInstanceOf(Problem));
});

describe('where a repository is', () => {
  test.each([
    'https://github.com/a/b',
    'https://user:token@host:8443/a/b.git',
    'http://10.0.0.1/x.git',
    'ssh://git@host:2222/~/x.git',
    'ssh://git@[::1]/x.git',
    'git://host/x',
    'git@github.com:owner/repo.git',
    'alias:owner/repo',
    'me@[::1]:x',
    'host:/srv/my repo',
  ])('is given by %s', (url) => expect(parseGitUrl(url)).toBe(url));

  test.each([
    ...['/srv/repo', './repo', '../repo', 'repo', '~/repo', 'file:///etc', 'FILE:///etc', ''],
    ...['ext::sh -c true', 'fd::0', 'transport::https://x', 'c:\\repo', 'c:/repo'],
    ...['--upload-pack=x', '-u:x', 'ssh://-oProxyCommand=x/y', 'ssh://-o@host/y', '-o@host:x'],
    ...['host:-x', 'https://', 'https:///x', 'http://[x', 'https://a/b\nc', 'ftp://host/x'],
    ...['HTTPS://host/x', ' https://host/x', `https://host/${'x'.repeat(2048)}`],
  ])('is not given by %j', (url) => expect(parseGitUrl(url)).toBeInstanceOf(Problem));

  test('is shown without its password if it is refused', () => {
    const problem = parseGitUrl('ftp://me:secret@host/x') as Problem;
    expect(problem.message).toContain("'ftp://***@host/x'");
  });
});

test('a name is one line of limited length', () => {
  expect(parsePlainText('Ann O’Neill <x>')).toBe('Ann O’Neill <x>');
  for (const bad of ['a\nb', 'a\u0000', '\u001b[31m', '\u009b1m', 'x'.repeat(1001)]) {
    expect(parsePlainText(bad)).toBeInstanceOf(Problem);
  }
});
