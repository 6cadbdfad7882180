import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withHostLogin } from './host-login.ts';
import type { JobAccessOptions, OpenJobAccess } from './jobs/job-access.ts';
import { createLogger } from './log.ts';

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
  const login = () =>
    withHostLogin(
      open,
      path,
      createLogger(() => {}),
    );
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

  it('may reach the job’s port while it is open, and nothing else', async () => {
    const access = await login()(options(KEY));
    expect(file()).toBe(
      `restrict,port-forwarding,permitopen="localhost:40022",permitopen="127.0.0.1:40022",command="/bin/sh -c 'echo This key opens the jobs of its owner, no shell on their host: ssh to the run itself. >&2; exit 1'" ssh-ed25519 AAAAC3Nza dstack:${ID}\n`,
    );
    await access?.close();
    expect(file().trim()).toBe('');
  });

  it('leave the keys of others alone, and the traces of a dead agent go', async () => {
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
