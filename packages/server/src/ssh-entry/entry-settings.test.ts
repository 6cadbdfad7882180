import { describe, expect, it } from 'vitest';
import { sshEntrySettings } from './entry-settings.ts';

const local = { host: '127.0.0.1', port: 3000, url: null };
const everywhere = { host: '0.0.0.0', port: 3000, url: null };

describe('the settings of the SSH entry', () => {
  it('switch it off without a port', () => {
    expect(sshEntrySettings({}, local)).toBeNull();
    expect(sshEntrySettings({ DSTACK_SERVER_SSH_HOST: 'x' }, everywhere)).toBeNull();
  });

  it.each([
    ['an address of its own', 'ssh.example.com', 'ssh.example.com', 2222],
    ['an address with a port', 'ssh.example.com:22', 'ssh.example.com', 22],
    ['an IPv6 address', '2001:db8::1', '2001:db8::1', 2222],
    ['an IPv6 address with a port', '[2001:db8::1]:22', '2001:db8::1', 22],
  ])('take %s for clients', (_what, text, hostname, port) => {
    const env = { DSTACK_SERVER_SSH_PORT: '2222', DSTACK_SERVER_SSH_HOST: text };
    expect(sshEntrySettings(env, everywhere)).toEqual({
      listen: { host: '0.0.0.0', port: 2222 },
      route: { hostname, port, jobs: 'needed' },
    });
  });

  it('use the address of the server if none is given', () => {
    const env = { DSTACK_SERVER_SSH_PORT: '2222', DSTACK_SERVER_SSH_JOBS: 'all' };
    const url = 'https://dstack.example.com/x';
    expect(sshEntrySettings(env, { ...everywhere, url })?.route).toEqual({
      ...{ hostname: 'dstack.example.com', port: 2222, jobs: 'all' },
    });
    expect(sshEntrySettings(env, { ...local, url: 'http://[::1]:3000' })?.route.hostname).toBe(
      '::1',
    );
    expect(sshEntrySettings(env, local)?.route.hostname).toBe('127.0.0.1');
    expect(() => sshEntrySettings(env, everywhere)).toThrow(
      'set DSTACK_SERVER_SSH_HOST to a host name, or DSTACK_SERVER_URL',
    );
  });

  it.each([
    ['DSTACK_SERVER_SSH_PORT', '65536', 'a port from 1 to 65535'],
    ['DSTACK_SERVER_SSH_PORT', 'ssh', 'a whole number'],
    ['DSTACK_SERVER_SSH_PORT', '3000', 'the port of the API'],
    ['DSTACK_SERVER_SSH_HOST', 'https://x', 'the host name of the SSH entry, or HOST:PORT'],
    ['DSTACK_SERVER_SSH_HOST', 'x:0', 'HOST:PORT'],
    ['DSTACK_SERVER_SSH_HOST', '-oProxyCommand=x', 'HOST:PORT'],
    ['DSTACK_SERVER_SSH_JOBS', 'some', 'needed, all'],
  ])('refuse a %s of %s', (name, value, why) => {
    const env = { DSTACK_SERVER_SSH_PORT: '2222', [name]: value };
    expect(() => sshEntrySettings(env, local)).toThrow(why);
  });
});
