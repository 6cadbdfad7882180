import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isPublicKeyLine, isSshHostName, isSshUserName, parseSshPort } from './ssh.ts';

describe('values of OpenSSH’s configuration', () => {
  test.each(['root', 'ubuntu', '_svc', 'a.b-c', 'alice@example.org', 'CORP\\alice', '1000user'])(
    'the user %s is accepted',
    (user) => expect(isSshUserName(user)).toBe(true),
  );

  test.each([
    '',
    '-oProxyCommand=x',
    'root\n  ProxyCommand touch x',
    'root ProxyCommand',
    'a"b',
    "a'b",
    'a\\',
    '\\a',
    'a\\b\\c',
    '%r',
    '${HOME}',
    'a#b',
    'Ω',
    'a\0',
    'a'.repeat(129),
  ])('the user %j is refused', (user) => expect(isSshUserName(user)).toBe(false));

  test.each(['gpu-1', 'gpu_1.lan', 'example.com.', '10.0.0.1', '::1', 'fe80::1%eth0', 'a--b'])(
    'the host %s is accepted',
    (host) => expect(isSshHostName(host)).toBe(true),
  );

  test.each([
    '',
    '-oProxyCommand=x',
    'a\nProxyCommand x',
    'a b',
    'a..b',
    'a/b',
    'user@host',
    'host:22',
    '%h',
    'fe80::1%',
    'fe80::1%e%f',
    'fe80::1%e h',
    '*',
    '0',
    '127.1',
    'a.0x7F',
    `${'a'.repeat(64)}.org`,
    `${'a.'.repeat(127)}bc`,
  ])('the host %j is refused', (host) => expect(isSshHostName(host)).toBe(false));

  test('no value is accepted that OpenSSH would split, expand or take for an option', () => {
    const odd = fc.string({ unit: 'binary', maxLength: 40 });
    fc.assert(
      fc.property(odd, (text) => {
        if (!isSshUserName(text) && !isSshHostName(text)) return;
        expect(text).toMatch(
          /^[^\s"'#$=,;|&<>()*?!\0-\x1f\x7f-\uffff-][^\s"'#$=,;|&<>()*?!\0-\x1f\x7f-\uffff]*$/,
        );
      }),
      { numRuns: 2000 },
    );
  });

  test.each([0, -1, 65_536, 1.5, Number.NaN])('%d is not a port', (port) => {
    expect(parseSshPort(port)).not.toBe(port);
  });
});

describe('a public key', () => {
  test.each(['ssh-ed25519 AAAA', 'ssh-rsa AAAA== me@home\n', 'ssh-rsa AAAA alice’s laptop\r\n'])(
    'is accepted: %j',
    (line) => expect(isPublicKeyLine(line)).toBe(true),
  );

  test.each([
    '',
    'ssh-rsa',
    'command="sh" ssh-rsa AAAA',
    'ssh-rsa AAAA\nssh-rsa BBBB\n',
    'ssh-rsa AAAA a\u001b[2Jb',
    'ssh-rsa AAAA\n\n',
  ])('is refused: %j', (line) => expect(isPublicKeyLine(line)).toBe(false));
});
