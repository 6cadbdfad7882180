import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import {
  type GitHost,
  newRepo,
  runGit,
  type SshGit,
  startHttpsGit,
  startSshGit,
} from '@dstack/testkit/git-hosts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dockerInstallation, IMAGE } from './docker.ts';
import { applyFleet, configuration, newInstallation, sharedFolder } from './installation.ts';

const missing = ['/usr/bin/git', '/usr/bin/openssl', '/usr/sbin/sshd'].find((p) => !existsSync(p));
if (missing) console.warn(`Repos in runs are NOT tested: ${missing} is missing`);

const TOKEN = 'tok-e2e-secret';

describe.skipIf(missing !== undefined)('code from a Git repository', () => {
  let host: GitHost;
  let home: Installation;
  let number = 0;
  beforeAll(async () => {
    host = await startHttpsGit(TOKEN);
    home = newInstallation({ GIT_SSL_CAINFO: host.authority });
    await home.startServer();
    await applyFleet(home, '0..3');
    newRepo(host.root, 'acme', { 'a.txt': 'one\n', 'b.txt': 'two\n' });
  });
  afterAll(async () => {
    await home?.dispose();
    await host?.close();
  });

  /** Applies a task and waits for its end. */
  async function run(commands: string[], more: string, ...flags: string[]) {
    const name = `repo-${++number}`;
    const task = `type: task\nname: ${name}\ncommands: ${JSON.stringify(commands)}\n`;
    const file = configuration(home, `${name}.dstack.yml`, `${task}resources:\n  gpu: 0\n${more}`);
    return home.dstack(['apply', '-f', file, '-y', ...flags]);
  }
  const fromUrl = (more = '') => `repos: [{url: "${host.url}/acme.git"${more}}]\n`;

  /** A working copy of the user, with the Git host as remote. */
  function workingCopy(name: string): string {
    const path = join(home.home, name);
    runGit(home.home, 'clone', '-q', join(host.root, 'acme.git'), path);
    runGit(path, 'remote', 'set-url', 'origin', `${host.url}/acme.git`);
    return path;
  }

  it('is refused before anything is submitted if it cannot be read', async () => {
    const { code, stderr } = await run(['true'], fromUrl());
    expect(code).toBe(1);
    expect(stderr).toContain('Cannot access the repository acme.git of localhost');
    expect(stderr).toMatch(/^ {2}without credentials, https:\/\/localhost:\d+\/acme\.git: \S/m);
    expect(stderr).toContain('--token');
    expect(await home.ok('ps', '-a')).not.toContain('repo-1');
  });

  it('reports the result of each attempt, without the token', async () => {
    const key = join(home.home, 'key');
    writeFileSync(key, 'no key\n', { mode: 0o600 });
    const words = [
      'init',
      '-P',
      `${host.url}/acme.git`,
      '--token',
      'ghp_wrong',
      '--git-identity',
      key,
    ];
    const { code, stderr } = await home.dstack(words);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`with the key ${key}, ssh://git@localhost/acme\\.git: \\S`));
    expect(stderr).toMatch(/with the token given, https:\/\/\S+: \S/);
    expect(stderr).not.toContain('ghp_wrong');
  });

  it('is refused with a key that cannot be read', async () => {
    const words = ['init', '-P', `${host.url}/acme.git`, '--git-identity', '/no/such/key'];
    const { code, stderr } = await home.dstack(words);
    expect(stderr).toMatch(/^error: Cannot read the key \/no\/such\/key\n {2}why:.*\n {2}next:/);
    expect(code).toBe(1);
  });

  it('is cloned with the token stored by `dstack init`', async () => {
    await home.ok('init', '-P', `${host.url}/acme.git`, '--token', TOKEN);
    const commands = [
      'cat a.txt b.txt',
      'git --no-pager log --format=%s',
      'cat .git/config',
      // The token is masked in output, so its length shows whether it is there.
      `sed -n 's/.*oauth_token: *//p' ~/.config/gh/hosts.yml | tr -d '\\n"' | wc -c`,
      `if grep -rq ${TOKEN} .git; then echo in the clone; fi`,
    ];
    const { code, stdout } = await run(commands, fromUrl());
    expect(code).toBe(0);
    expect(stdout).toMatch(/one\s+two\s+b\.txt\s+a\.txt/);
    // In the job's home for `gh` and `git pull`, but never in the clone.
    expect(stdout).toMatch(new RegExp(`^${TOKEN.length}\\s*$`, 'm'));
    expect(stdout).not.toContain('in the clone');
    expect(stdout).not.toContain(TOKEN);
  });

  it('is checked out at a branch and a commit, in a directory of choice', async () => {
    const first = runGit(join(host.root, 'acme.git'), 'rev-parse', 'main~1');
    const commands = ['cd src', 'git rev-parse HEAD', 'ls'];
    const { code, stdout } = await run(
      commands,
      fromUrl(`, branch: main, hash: ${first}, path: src`),
    );
    expect(code).toBe(0);
    expect(stdout).toContain(first);
    expect(stdout).not.toContain('b.txt');
  });

  it('includes local changes: unpushed, uncommitted and new files', async () => {
    const copy = workingCopy('copy');
    writeFileSync(join(copy, 'a.txt'), 'committed here\n');
    runGit(copy, 'commit', '-q', '-a', '-m', 'unpushed');
    writeFileSync(join(copy, 'b.txt'), 'changed here\n');
    mkdirSync(join(copy, 'new'));
    writeFileSync(join(copy, 'new', 'bytes'), Buffer.from([0, 255, 10]));
    const { code, stdout } = await run(
      ['cat a.txt b.txt', 'od -An -tx1 new/bytes'],
      'repos: [copy]\n',
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/committed here\s+changed here\s+00 ff 0a/);
  });

  it('reports the changes that are too large', async () => {
    const copy = workingCopy('big');
    writeFileSync(join(copy, 'weights.bin'), Buffer.alloc(3 * 1024 * 1024, 'random-ish'));
    runGit(copy, 'add', '-N', 'weights.bin');
    const { code, stderr } = await run(['true'], 'repos: [big]\n');
    expect(code).toBe(1);
    expect(stderr).toMatch(/limit/i);
    expect(stderr).toMatch(/gitignore|weights\.bin/);
  });

  it('includes its submodules, with the same token', async () => {
    newRepo(host.root, 'lib', { 'lib.txt': 'from the submodule\n' });
    const work = join(host.root, 'acme-work');
    const url = `${host.url}/lib.git`;
    writeFileSync(join(work, '.gitmodules'), `[submodule "lib"]\n\tpath = lib\n\turl = ${url}\n`);
    const head = runGit(join(host.root, 'lib.git'), 'rev-parse', 'main');
    runGit(work, 'update-index', '--add', '--cacheinfo', `160000,${head},lib`);
    runGit(work, 'add', '.gitmodules');
    runGit(work, 'commit', '-q', '-m', 'with lib');
    runGit(work, 'push', '-q', join(host.root, 'acme.git'), 'HEAD:with-lib');
    const { stdout, code } = await run(['cat lib/lib.txt'], fromUrl(', branch: with-lib'));
    expect(stdout).toContain('from the submodule');
    expect(code).toBe(0);
  });

  it('leaves a non-empty directory alone or fails, as configured', async () => {
    const shared = sharedFolder(home);
    const taken = join(shared, 'taken');
    mkdirSync(taken);
    writeFileSync(join(taken, 'mine'), '');
    const failed = await run(['true'], fromUrl(`, path: ${taken}`));
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/\/\S+ exists and is not empty: set/);
    const skipped = await run([`ls ${taken}`], fromUrl(`, path: ${taken}, if_exists: skip`));
    expect(skipped.code).toBe(0);
    expect(skipped.stdout).toContain('mine');
    expect(skipped.stdout).not.toContain('a.txt');
  });

  it('is refused with the reason why a directory cannot be a repo', async () => {
    mkdirSync(join(home.home, 'plain'));
    const { code, stderr } = await run(['true'], 'repos: [plain]\n');
    expect(code).toBe(1);
    expect(stderr).toMatch(/is not a Git repository[\s\S]*files/);
  });

  describe('over SSH', () => {
    let ssh: SshGit;
    beforeAll(async () => {
      ssh = await startSshGit();
      newRepo(ssh.root, 'hidden', { 'c.txt': 'by key\n' });
    });
    afterAll(() => ssh?.close());

    it('is cloned with the given key', async () => {
      const more = `repos: [{url: "${ssh.url}/hidden.git"}]\n`;
      const commands = ['cat c.txt'];
      const { code, stdout } = await run(commands, more, '--git-identity', ssh.key);
      expect(stdout).toContain('by key');
      expect(code).toBe(0);
    });
  });
});

const noDocker = missing ?? dockerMissing();
if (noDocker) console.warn(`Repos in containers are NOT tested: ${noDocker} is missing`);

describe.skipIf(noDocker)('code from a Git repository in a container without git', () => {
  let engine: TestDocker;
  let host: GitHost;
  let home: Installation;
  beforeAll(async () => {
    engine = await startDocker();
    await engine.busybox(IMAGE);
    host = await startHttpsGit(TOKEN, outerAddress());
    newRepo(host.root, 'acme', { 'a.txt': 'one\n' });
    home = dockerInstallation(engine, { GIT_SSL_CAINFO: host.authority });
    await home.startServer();
    await applyFleet(home);
  });
  afterAll(async () => {
    await home?.dispose();
    await host?.close();
    await engine?.close();
  });

  it('is cloned by the host, with local changes and files beside it', async () => {
    const copy = join(home.home, 'copy');
    runGit(home.home, 'clone', '-q', join(host.root, 'acme.git'), copy);
    runGit(copy, 'remote', 'set-url', 'origin', `${host.url}/acme.git`);
    writeFileSync(join(copy, 'b.txt'), 'not pushed\n');
    mkdirSync(join(home.home, 'extra'));
    writeFileSync(join(home.home, 'extra', 'x'), 'from files\n');
    const commands = [
      '! command -v git',
      'cat /code/a.txt /code/b.txt ~/extra/x',
      'pwd',
      'ls -ld .',
    ];
    const more =
      'image: busybox:test\nrepos: [{local_path: copy, path: /code}]\nfiles: ["extra:~/extra"]\n';
    const yaml = `type: task\nname: boxed\ncommands: ${JSON.stringify(commands)}\nworking_dir: /made/here\nresources: {gpu: 0}\n${more}`;
    const file = configuration(home, 'boxed.dstack.yml', yaml);
    const { code, stdout, stderr } = await home.dstack([
      'apply',
      '-f',
      file,
      '-y',
      '--token',
      TOKEN,
    ]);
    expect(stdout, stderr).toMatch(/one\s+not pushed\s+from files\s+\/made\/here/);
    expect(code).toBe(0);
  });
});

/** An address at which other computers reach this one. */
function outerAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flat();
  return all.find((one) => one?.family === 'IPv4' && !one.internal)?.address;
}
