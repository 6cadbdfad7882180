import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isOnItsWay, runAs } from './run-as.ts';

const UID = 700_123;
const account = { username: null, uid: UID, gid: UID, home: '/', shell: null, groups: [44] };
const cgroup = { unified: null, legacy: {} };

describe.skipIf(process.getuid?.() !== 0)('a command of another user', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'run-as-'));
    chmodSync(dir, 0o755);
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  function run(argv: readonly string[], env: Record<string, string> = {}, cwd = '/'): string {
    const {
      before,
      env: outer,
      cwd: from,
    } = runAs(
      { argv, env, cwd },
      { account, cgroup, namespaceOf: null, entersAsUser: true, opensFiles: false },
    );
    const [file = '', ...args] = [...before, ...argv];
    const { stdout, stderr, status } = spawnSync(file, args, { env: outer, cwd: from });
    return status === 0 ? String(stdout) : `${status}: ${stdout}${stderr}`;
  }

  it('has just these rights and no way back to more', () => {
    const status = run(['/bin/cat', '/proc/self/status']);
    const line = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
    expect(line('Uid')).toBe(Array(4).fill(UID).join('\t'));
    expect(line('Gid')).toBe(Array(4).fill(UID).join('\t'));
    expect(line('Groups')?.trim()).toBe('44');
    expect(line('CapEff')).toMatch(/^0+$/);
    expect(line('NoNewPrivs')).toBe('1');
  });

  it('has its environment unchanged, for any names and values', () => {
    const env = {
      PATH: '/bin:/usr/bin',
      IFS: 'x',
      UID: '5',
      OPTIND: 'word',
      i: 'of the job',
      QUOTED: `it's "quoted" $HOME \`id\` \\`,
      LINES_OF_TEXT: 'one\ntwo\n',
      'DOTTED.NAME-1': 'a=b',
      EMPTY: '',
      __dstack_i: '7',
      _: '/of/the/job',
    };
    const entries = run(['/usr/bin/env', '-0'], env).split('\0');
    const seen = Object.fromEntries(
      entries.filter(Boolean).map((entry) => {
        const at = entry.indexOf('=');
        return [entry.slice(0, at), entry.slice(at + 1)];
      }),
    );
    const { _: last, PWD, ...rest } = seen;
    const { _, ...wanted } = env;
    expect(rest).toEqual(wanted);
  });

  it('passes its environment to no program that runs with our rights', () => {
    const marks = join(dir, 'marks');
    writeFileSync(marks, '');
    chmodSync(marks, 0o666);
    const evil = join(dir, 'evil.sh');
    writeFileSync(evil, `id -u >> ${marks}\n`);
    for (const name of ['setpriv', 'nsenter', 'sh', 'readlink', 'chown', 'env']) {
      writeFileSync(join(dir, name), `#!/bin/sh\nid -u >> ${marks}\n`, { mode: 0o755 });
    }
    const env = {
      PATH: dir,
      ENV: evil,
      BASH_ENV: evil,
      SHELLOPTS: 'xtrace',
      PS4: `$(id -u >> ${marks})`,
      LD_PRELOAD: join(dir, 'evil.so'),
    };
    run(['/bin/sh', '-c', ': ran'], env);
    const users = readFileSync(marks, 'utf8').split('\n').filter(Boolean);
    expect(users.every((user) => user === String(UID))).toBe(true);
  });

  it('begins in its directory, or reports that it may not enter it', () => {
    expect(run(['/bin/pwd'], {}, dir)).toBe(`${dir}\n`);
    chmodSync(dir, 0o700);
    expect(run(['/bin/pwd'], {}, dir)).toMatch(/^1: .*(cd|denied)/s);
  });

  it('does not get a device that is not a terminal', () => {
    const before = statSync('/dev/null').uid;
    run(['/bin/true']);
    expect(statSync('/dev/null').uid).toBe(before);
  });

  it('counts as starting until it has its environment', () => {
    const environ = `PATH=/bin\0__DSTACK_ENV_0=A=1\0`;
    expect(isOnItsWay(environ)).toBe(true);
    expect(isOnItsWay('__DSTACK_ENV_0=A=1\0')).toBe(true);
    expect(isOnItsWay('A=__DSTACK_ENV_0=\0')).toBe(false);
    const env = { A: '1' };
    expect(isOnItsWay(run(['/bin/cat', '/proc/self/environ'], env))).toBe(false);
  });
});

it('needs the programs that it names', () => {
  for (const tool of ['setpriv', 'nsenter', 'unshare', 'mount', 'flock']) {
    expect(execFileSync('sh', ['-c', `command -v ${tool}`]).toString()).toContain(tool);
  }
});
