import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FORWARDS_ONLY } from '@dstack/contract/agent';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createEventLogger } from './host/log.ts';
import { HostLogin } from './host-login.ts';
import type { JobAccessOptions, OpenJobAccess } from './jobs/job-access.ts';

const ID = '11111111-2222-4333-8444-555555555555';
const KEY = 'ssh-ed25519 AAAAC3Nza alice@laptop';

describe('users of a job at the host’s own sshd', () => {
  let dir: string;
  let path: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'login-'));
    path = join(dir, '.ssh', 'authorized_keys');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const open: OpenJobAccess = async () => ({
    port: 40022,
    lastActivity: () => null,
    authorizeUsers: () => {},
    ended: async () => {},
    close: async () => {},
  });
  const silent = createEventLogger(() => {});
  const login = () => new HostLogin(path, silent).withJobs(open);
  const options = (...user: string[]) =>
    ({
      spec: { id: ID, authorized_keys: { user, project: [], job: [] } },
    }) as unknown as JobAccessOptions;
  const file = () => readFileSync(path, 'utf8');

  it('may no longer reach it with a key that was replaced', async () => {
    const access = await login()(options(KEY));
    access?.authorizeUsers(['ssh-ed25519 BBBB bob@laptop']);
    expect(file()).toContain('ssh-ed25519 BBBB');
    expect(file()).not.toContain('AAAAC3Nza');
    await access?.close();
    expect(file()).not.toContain('ssh-ed25519');
  });

  it('may reach it with a key for forwards alone too', async () => {
    await login()(options(`${FORWARDS_ONLY}${KEY}`));
    expect(file()).toMatch(
      /^restrict,port-forwarding,permitopen=[^ ]+,command=.* ssh-ed25519 AAAAC3Nza dstack:/,
    );
  });

  it('may reach the job’s port while it is open, and nothing else', async () => {
    const access = await login()(options(KEY));
    expect(file()).toBe(
      `restrict,port-forwarding,permitopen="localhost:40022",permitopen="127.0.0.1:40022",command="/bin/sh -c 'echo This key opens the jobs of its owner, no shell on their host: ssh to the run itself. >&2; exit 1'" ssh-ed25519 AAAAC3Nza dstack:${ID}\n`,
    );
    await access?.close();
    expect(file().trim()).toBe('');
  });

  it('do not change the keys of others, and the lines of a dead agent are removed', async () => {
    await login()(options(KEY));
    const mine = 'ssh-rsa AAAA me@home';
    writeFileSync(path, `${mine}\n${file()}`);
    const access = await login()(options(KEY));
    expect(file().split('\n')).toHaveLength(3);
    await access?.close();
    expect(file()).toBe(`${mine}\n`);
  });

  it('reach all of their jobs by one line, since sshd looks at the first with their key only', async () => {
    const other = '66666666-7777-4888-8999-aaaaaaaaaaaa';
    const into = login();
    const first = await into(options(KEY));
    const second = options(KEY);
    await into({ ...second, spec: { ...second.spec, id: other } });
    expect(file().trim().split('\n')).toHaveLength(1);
    expect(file()).toContain(`dstack:${ID},${other}\n`);
    await first?.close();
    expect(file()).toContain(`AAAAC3Nza dstack:${other}\n`);
  });

  it('cannot smuggle options in with a key', async () => {
    await login()(options('command="sh" ssh-ed25519 AAAA', 'ssh-ed25519 AA\nssh-rsa BB'));
    expect(file()).not.toMatch(/command="sh"|BB/);
  });
});

describe('users that the server names', () => {
  let dir: string;
  let path: string;
  beforeEach(() => {
    vi.useFakeTimers();
    dir = mkdtempSync(join(tmpdir(), 'login-'));
    path = join(dir, '.ssh', 'authorized_keys');
  });
  afterEach(() => {
    vi.useRealTimers();
    rmSync(dir, { recursive: true });
  });

  const logged: string[] = [];
  const login = () =>
    new HostLogin(
      path,
      createEventLogger((line) => void logged.push(line)),
    );
  const file = () => readFileSync(path, 'latin1');
  const shells = (...keys: (readonly [string, string])[]) => ({
    keys: keys.map(([user, key]) => ({ user, key })),
    valid_for: 3600,
  });
  const alice = ['alice', 'ssh-rsa AAAA alice@laptop\n'] as const;
  const bob = ['bob', 'ssh-ed25519 BBBB'] as const;

  it('get a shell on the host, each key by a line that names its owner', () => {
    const into = login();
    into.openShells(shells(alice, bob, ['carol', 'ssh-ed25519 BBBB']));
    expect(file()).toBe(
      'ssh-rsa AAAA dstack-shell:alice\nssh-ed25519 BBBB dstack-shell:bob,carol\n',
    );
    into.openShells(shells(bob));
    expect(file()).toBe('ssh-ed25519 BBBB dstack-shell:bob\n');
    into.openShells(shells());
    expect(file()).toBe('');
  });

  it('have one line with a shell while it is valid, else one that leads to their jobs', async () => {
    const into = login();
    const open: OpenJobAccess = async () => ({
      port: 40022,
      lastActivity: () => null,
      authorizeUsers: () => {},
      ended: async () => {},
      close: async () => {},
    });
    const spec = { id: ID, authorized_keys: { user: [alice[1]], project: [], job: [] } };
    await into.withJobs(open)({ spec } as unknown as JobAccessOptions);
    into.openShells(shells(alice));
    expect(file()).toBe('ssh-rsa AAAA dstack-shell:alice\n');
    into.openShells(shells());
    expect(file()).toMatch(new RegExp(`^restrict,.* ssh-rsa AAAA dstack:${ID}\n$`));
  });

  it('lose it when the agent starts anew, until they are named again', () => {
    login().openShells(shells(alice));
    login();
    expect(file()).toBe('');
  });

  it('lose it if no server has named them for long', () => {
    const into = login();
    into.openShells(shells(alice));
    vi.advanceTimersByTime(3_599_000);
    into.openShells(shells(alice));
    vi.advanceTimersByTime(3_599_000);
    expect(file()).not.toBe('');
    vi.advanceTimersByTime(1000);
    expect(file()).toBe('');
  });

  it('lose it later where the file cannot be written at that time', () => {
    const into = login();
    into.openShells(shells(alice));
    mkdirSync(`${path}.dstack`);
    vi.advanceTimersByTime(3_600_000);
    expect(file()).not.toBe('');
    rmSync(`${path}.dstack`, { recursive: true });
    vi.advanceTimersByTime(60_000);
    expect(file()).toBe('');
  });

  it('are not reported to have it if the file cannot be written', () => {
    const into = login();
    into.openShells(shells(alice));
    mkdirSync(`${path}.dstack`);
    expect(() => into.openShells(shells())).toThrow();
    rmSync(`${path}.dstack`, { recursive: true });
    into.openShells(shells());
    expect(file()).toBe('');
  });

  it('change nothing that others have written, including its encoding, rights and links', () => {
    mkdirSync(join(dir, '.ssh'));
    const real = join(dir, 'keys-of-mine');
    const own =
      '# m\xfcller\r\nfrom="10.0.0.1" ssh-rsa CCCC dstack:me\n\n  ssh-rsa DDDD dstack-shell: x\nssh-rsa EEEE';
    writeFileSync(real, own, 'latin1');
    chmodSync(real, 0o640);
    symlinkSync(real, path);
    const into = login();
    into.openShells(shells(alice));
    expect(file()).toBe(`${own}\nssh-rsa AAAA dstack-shell:alice\n`);
    into.openShells(shells());
    expect(file()).toBe(`${own}\n`);
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(statSync(real).mode & 0o777).toBe(0o640);
  });

  it('create no file without keys', () => {
    login().openShells(shells());
    expect(existsSync(path)).toBe(false);
  });

  it('cannot smuggle options or lines in with a key', () => {
    login().openShells(
      shells(['eve', 'command="sh" ssh-rsa AAAA'], ['eve', 'ssh-rsa AA\nssh-rsa BB']),
    );
    expect(file()).toBe('ssh-rsa AA dstack-shell:eve\n');
  });
});
