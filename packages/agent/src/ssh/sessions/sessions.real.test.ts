import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobSpecForAgent } from '@dstack/contract/agent';
import { dockerMissing, type TestDocker } from '@dstack/testkit/docker';
import { jobNode } from '@dstack/testkit/job-programs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobUser } from '../../testing/agent-harness.ts';
import { Screen, type SshClient } from '../../testing/ssh-client.ts';
import { JOB_KINDS, SshJobs } from '../../testing/ssh-jobs.ts';

const missing = dockerMissing();
if (missing) console.warn(`SSH sessions in containers are NOT tested: ${missing} is missing`);

/** An image with only one program. */
async function importBare(engine: TestDocker, dir: string): Promise<void> {
  const root = join(dir, 'bare');
  mkdirSync(root);
  copyFileSync('/usr/bin/busybox', join(root, 'busybox'));
  const tar = execFileSync('tar', ['-C', root, '-cf', '-', '.'], { maxBuffer: 1 << 26 });
  const answer = await engine.docker.importImage(Readable.from([tar]), {
    repo: 'bare',
    tag: 'test',
  });
  for await (const _ of answer as Readable);
}

/** The prefix of its applets: a job with its own user may not reach the Node of these tests. */
const BUSYBOX = { confined: 'busybox ', docker: '' };

/** Waits for another process, up to the test's own time limit. */
async function eventually(look: () => boolean): Promise<void> {
  while (!look()) await delay(20);
}

/** Processes of this host whose command line contains this text. */
function processesWith(words: string): string {
  try {
    return execFileSync('pgrep', ['-f', words], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

/** Runs `open` in a shell with a terminal of 33 by 101, which ssh reports. */
function inTerminal(command: string): string[] {
  return ['-qefc', `stty rows 33 cols 101; ${command}`, '/dev/null'];
}

const isRoot = process.getuid?.() === 0;

describe.each(JOB_KINDS)('a session in a %s job', (kind) => {
  const skipped = kind === 'docker' ? missing !== null : kind === 'confined' && !isRoot;
  describe.skipIf(skipped)('by OpenSSH', () => {
    let jobs: SshJobs;
    let client: SshClient;
    let job: JobSpecForAgent;

    const begin = (more: Partial<JobSpecForAgent> = {}) =>
      jobs.begin({ env: { GREETING: "it's" }, working_dir: '/tmp', ...more });

    beforeAll(async () => {
      jobs = await SshJobs.start({ kind });
      client = jobs.client;
      job = await begin();
    }, 60_000);
    afterAll(() => jobs?.close(), 60_000);

    it('has the environment and the directory of the job', async () => {
      const { stdout } = await client.ssh([
        'echo "$GREETING|$DSTACK_RUN_NAME|$DSTACK_JOB_ID"; pwd',
      ]);
      expect(stdout).toBe(`it's|test-run|${job.id}\n/tmp\n`);
    });

    it('reports the exit code of a command', async () => {
      expect((await client.ssh(['exit 7'])).code).toBe(7);
      expect((await client.ssh(['true'])).code).toBe(0);
      expect((await client.ssh(['no-such-program'])).code).toBe(127);
    });

    if (kind !== 'docker')
      it('reports the signal that ended a command', async () => {
        const { code } = await client.ssh(['kill -9 $$']);
        expect(code).toBe(255);
      });

    it('keeps output and error apart', async () => {
      const { stdout, stderr } = await client.ssh([
        'echo out; echo error >&2; echo x > /dev/stderr',
      ]);
      expect({ stdout, stderr }).toEqual({ stdout: 'out\n', stderr: 'error\nx\n' });
    });

    it('keeps order and content of output and error when the client is slow', async () => {
      const script =
        'i=0; while [ $i -lt 60 ]; do ' +
        'head -c 100000 /dev/zero | tr "\\0" o; head -c 100000 /dev/zero | tr "\\0" e >&2; ' +
        'i=$((i+1)); done';
      const child = client.spawn('ssh', [...client.options(), 'root@job', script]);
      const counts = { o: 0, e: 0, other: 0 };
      const count = (data: Buffer) => {
        for (const byte of data) counts[byte === 111 ? 'o' : byte === 101 ? 'e' : 'other'] += 1;
      };
      child.stdout?.pause();
      // Without a reader the client stops granting window; then both streams continue at once.
      await delay(300);
      child.stdout?.on('data', count);
      child.stderr?.on('data', count);
      child.stdout?.resume();
      const [code] = await once(child, 'close');
      expect({ ...counts, code }).toEqual({ o: 6_000_000, e: 6_000_000, other: 0, code: 0 });
    });

    it('ends the input of a command with the input of the client', async () => {
      const text = 'x'.repeat(3_000_000);
      expect((await client.ssh(['cat'], text)).stdout.length).toBe(text.length);
      expect((await client.ssh(['wc -c'], '')).stdout.trim()).toBe('0');
      expect((await client.ssh(['head -c 3'], text)).stdout).toBe('xxx');
    });

    it('passes language and colours of the client and nothing else', async () => {
      const before = ['-o', 'SendEnv=LC_TEST COLORTERM LD_TEST'];
      const args = [...client.options(), ...before, 'root@job', 'echo "$LC_TEST|$LD_TEST|"'];
      const { stdout } = await client.run('ssh', args, '', { LC_TEST: 'a', LD_TEST: 'b' });
      expect(stdout).toBe('a||\n');
    });

    it('gives a terminal that follows the size of the client', async () => {
      const ssh = ['ssh', ...client.options(), '-tt', 'root@job'].join(' ');
      const shell = new Screen(client.spawn('script', inTerminal(ssh), { TERM: 'vt220' }));
      // The size is sent before the input, but reaches the Engine by another connection.
      const asked = async (what: string, answer: RegExp) => {
        while (!answer.test(shell.text)) {
          shell.type(`echo "size $(stty size) ${what}"\n`);
          await shell.until(new RegExp(`size \\d+ \\d+ ${what}\\r\\n`));
          await delay(50);
        }
      };
      await asked('before', /size 33 101 before/);
      shell.type('echo "$TERM $GREETING"; tty; pwd\n');
      await shell.until(/vt220 it's\r\n\/dev\/pts\/\d+\r\n\/tmp\r\n/);
      const pts = execFileSync('ps', ['-o', 'tty=', '--ppid', String(shell.child.pid)]).toString();
      execFileSync('stty', ['-F', `/dev/${pts.trim()}`, 'rows', '44', 'cols', '140']);
      await asked('after', /size 44 140 after/);
      shell.type('exit 5\n');
      const [code] = await once(shell.child, 'close');
      expect(code).toBe(5);
    });

    it('ends a command by Ctrl-C and continues', async () => {
      const args = [...client.options(), '-tt', 'root@job'];
      const shell = new Screen(client.spawn('ssh', args));
      shell.type('echo be"gun"; sleep 1000\n');
      await shell.until('begun');
      await delay(200);
      shell.type('\x03');
      shell.type('echo "status $?"; exit\n');
      await shell.until('status 130');
      await once(shell.child, 'close');
    });

    it('runs a command with a terminal and reports its exit code', async () => {
      const { code, stdout } = await client.ssh(['test -t 0 && echo yes; exit 3'], '', ['-tt']);
      expect({ code, stdout }).toEqual({ code: 3, stdout: 'yes\r\n' });
    });

    it('ends a command with a terminal when the client disconnects', async () => {
      const seconds = { process: '8654321', confined: '9654321', docker: '7654321' }[kind];
      const shell = new Screen(
        client.spawn('ssh', [...client.options(), '-tt', 'root@job', `echo up; sleep ${seconds}`]),
      );
      await shell.until('up');
      await eventually(() => processesWith(`^sleep ${seconds}`) !== '');
      shell.child.kill('SIGKILL');
      await eventually(() => processesWith(`^sleep ${seconds}`) === '');
    });

    it('keeps a command without a terminal, and its server can be reached', async () => {
      const script = [
        'uname -s; cd "$HOME" || exit 1',
        'echo "from the daemon" > index.html',
        kind !== 'process'
          ? `setsid ${BUSYBOX[kind]}httpd -f -p 127.0.0.1:45671 -h "$HOME" > daemon.log 2>&1 < /dev/null &`
          : `setsid ${jobNode()} -e "require('net').createServer(s=>s.end('from the daemon')).listen(45671,'127.0.0.1')" > daemon.log 2>&1 < /dev/null &`,
        'echo "pid $!"',
      ].join('\n');
      const started = await client.ssh(['sh'], script);
      expect(started.stdout).toMatch(/^Linux\npid \d+\n$/);
      const port = 40_000 + Math.floor(Math.random() * 5000);
      const args = [...client.options(), '-N', '-o', 'ExitOnForwardFailure=yes'];
      const tunnel = client.spawn('ssh', [...args, '-D', `127.0.0.1:${port}`, 'root@job']);
      let answer = '';
      while (!answer.includes('from the daemon')) {
        const curl = ['-s', '--http0.9', '--socks5-hostname', `127.0.0.1:${port}`];
        answer = (await client.run('curl', [...curl, 'http://127.0.0.1:45671/'])).stdout;
        await delay(50);
      }
      tunnel.kill();
      const pid = /pid (\d+)/.exec(started.stdout)?.[1];
      expect((await client.ssh([`kill ${pid}`])).code).toBe(0);
    });

    it('runs twenty at once on one connection', async () => {
      const control = ['-o', `ControlPath=${join(client.dir, `c-${kind}`)}`];
      const master = client.spawn('ssh', [
        ...client.options(),
        ...['-M', '-N', ...control, 'root@job'],
      ]);
      await eventually(() => existsSync(join(client.dir, `c-${kind}`)));
      const numbers = Array.from({ length: 20 }, (_, number) => number);
      const answers = await Promise.all(
        numbers.map((number) => client.ssh([`cat; exit ${number}`], `n${number}`, control)),
      );
      expect(answers.map(({ code, stdout }) => [code, stdout])).toEqual(
        numbers.map((number) => [number, `n${number}`]),
      );
      master.kill();
    });

    it('is refused to keys of the server and of nodes, and to unknown names', async () => {
      for (const key of ['project', 'job']) {
        const other = await client.run('ssh', [...client.options(key), 'root@job', 'true']);
        expect(other.code).not.toBe(0);
      }
      const nobody = await client.run('ssh', [...client.options(), 'mallory@job', 'true']);
      expect(nobody.code).toBe(1);
      expect(nobody.stderr).toContain('There is no user mallory in this job');
    });

    it('runs as the user that the login name means', async () => {
      if (kind === 'process' && !isRoot) return;
      const name = kind === 'docker' ? 'alice' : 'nobody';
      const before = client.port;
      await begin({ user: jobUser({ username: name }), working_dir: null });
      const as = (login: string) =>
        client.run('ssh', [...client.options(), `${login}@job`, 'id -un; echo $HOME; id -Gn']);
      const own = await as(name);
      expect(own.stdout.split('\n')[0]).toBe(name);
      const root = await as('root');
      if (kind === 'docker') {
        expect(own.stdout).toContain('video');
        expect(root.stdout).toMatch(/^root\n\/root\n/);
      } else expect(root.stdout.split('\n')[0]).toBe(name);
      client.port = before;
    });

    if (kind === 'docker')
      it('runs programs of an image without a shell', async () => {
        const before = client.port;
        await importBare(jobs.engine as TestDocker, client.dir);
        await begin({
          image_name: 'bare:test',
          commands: ['/busybox', 'sleep', '100000'],
          working_dir: null,
        });
        const { code, stderr } = await client.ssh(['echo hello']);
        expect(code).toBe(127);
        expect(stderr).toContain('This job has no shell');
        expect(await client.ssh(['/busybox env'])).toMatchObject({
          code: 0,
          stdout: expect.stringContaining('HOME=/'),
        });
        expect((await client.ssh(['/busybox echo $HOME'])).code).toBe(127);
        client.port = before;
      });

    if (kind === 'confined')
      it('runs nothing with our rights in namespaces that the job has created', async () => {
        const before = client.port;
        const spec = await begin({
          shell_commands: [
            'mkdir ~/evil; echo "id -u >> ~/marks" > ~/evil/setpriv',
            'for name in nsenter sh env; do cp ~/evil/setpriv ~/evil/$name; done',
            'chmod 755 ~/evil/*; echo kept > /tmp/kept',
            `exec unshare --user --map-root-user --mount sh -c '${[
              'mount --rbind /etc /tmp && mount --bind ~/evil /usr/bin && echo moved',
              'while :; do read line; done',
            ].join('; ')}'`,
          ],
        });
        await jobs.stream.until(() => /moved|not permitted/.test(jobs.stream.text(spec.id)));
        expect(jobs.stream.text(spec.id)).toContain('moved');
        const { stdout } = await client.ssh(['cat /tmp/kept ~/marks 2>&1; id -u']);
        expect(stdout).toMatch(/^kept\ncat: .*\/marks: No such file or directory\n[1-9]\d+\n$/);
        const agent = join(client.dir, 'moved-agent.sock');
        const keys = client.spawn('ssh-agent', ['-D', '-a', agent]);
        await eventually(() => existsSync(agent));
        const args = [
          ...client.options('user', agent),
          '-A',
          'root@job',
          'ls -d /tmp/dstack-agent*',
        ];
        expect((await client.run('ssh', args)).stdout).toContain('/tmp/dstack-agent');
        expect(readdirSync('/etc').filter((name) => name.startsWith('dstack-agent'))).toEqual([]);
        keys.kill();
        client.port = before;
      });

    it('ends with the job', async () => {
      const before = client.port;
      const spec = await begin();
      const shell = new Screen(
        client.spawn('ssh', [...client.options(), '-tt', 'root@job', 'echo up; sleep 1000']),
      );
      await shell.until('up');
      await jobs.agent.stop(spec.id, false);
      await once(shell.child, 'close');
      const late = await client.ssh(['true']);
      expect(late.code).toBe(1);
      expect(late.stderr).toContain('The job does not run.');
      client.port = before;
    });
  });
});
