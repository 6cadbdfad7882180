import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { dockerMissing } from '@dstack/testkit/docker';
import { jobNode } from '@dstack/testkit/job-programs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Screen, type SshClient } from '../../testing/ssh-client.ts';
import { JOB_KINDS, SshJobs } from '../../testing/ssh-jobs.ts';

const missing = dockerMissing();
if (missing) console.warn(`Forwards into containers are NOT tested: ${missing} is missing`);

/** A program for Node: sends its input to a unix socket and prints the answer. */
const TALK = `const s=require('net').connect(process.argv[1]);process.stdin.pipe(s);s.pipe(process.stdout)`;

const isRoot = process.getuid?.() === 0;

describe.each(JOB_KINDS)('forwards that begin in a %s job', (kind) => {
  const skipped = kind === 'docker' ? missing !== null : kind === 'confined' && !isRoot;
  describe.skipIf(skipped)('by OpenSSH', () => {
    let jobs: SshJobs;
    let client: SshClient;
    let echo: Server;
    let port: number;

    /** Runs a forwarding client until `use` is done. ssh fails if the forward is refused. */
    async function forwarding(args: readonly string[], use: () => Promise<void>, key = 'user') {
      const ssh = client.spawn('ssh', [
        ...client.options(key),
        ...['-v', '-N', '-o', 'ExitOnForwardFailure=yes'],
        ...[...args, 'root@job'],
      ]);
      const screen = new Screen(ssh);
      await screen.until(/forward success|Allocated port|Local connections to/);
      await use();
      ssh.kill();
      await once(ssh, 'exit');
    }

    /** A program in the job that connects to a port of the job's own loopback. */
    const talk = (to: number) =>
      kind !== 'process'
        ? `${kind === 'docker' ? '' : 'busybox '}nc 127.0.0.1 ${to}`
        : `${jobNode()} -e "const s=require('net').connect(${to},'127.0.0.1');process.stdin.pipe(s);s.pipe(process.stdout)"`;

    beforeAll(async () => {
      jobs = await SshJobs.start({ kind });
      client = jobs.client;
      await jobs.begin({ working_dir: '/tmp' });
      echo = createServer({ allowHalfOpen: true }, (socket) => {
        socket.write('client reads: ');
        socket.pipe(socket);
      });
      echo.listen(0, '127.0.0.1');
      await once(echo, 'listening');
      port = (echo.address() as { port: number }).port;
    }, 60_000);
    afterAll(async () => {
      await jobs?.close();
      echo?.close();
    }, 60_000);

    it('lead from a port of the job to the client, until it goes', async () => {
      const remote = 20_000 + Math.floor(Math.random() * 10_000);
      await forwarding(['-R', `${remote}:127.0.0.1:${port}`], async () => {
        const answers = await Promise.all(
          ['one', 'two', 'x'.repeat(300_000)].map((text) => client.ssh([talk(remote)], text)),
        );
        expect(answers.map(({ stdout }) => stdout.length)).toEqual([17, 17, 300_014]);
      });
      let { stdout } = await client.ssh([talk(remote)], 'late');
      while (stdout !== '') {
        await delay(50);
        ({ stdout } = await client.ssh([talk(remote)], 'late'));
      }
    });

    if (kind !== 'docker')
      it('survive connections of the job that end before the client has answered', async () => {
        const remote = 20_000 + Math.floor(Math.random() * 10_000);
        await forwarding(['-R', `${remote}:127.0.0.1:${port}`], async () => {
          for (let caller = 0; caller < 20; caller++) {
            const socket = connect(remote, '127.0.0.1');
            await once(socket, 'connect');
            socket.resetAndDestroy();
          }
          expect((await client.ssh([talk(remote)], 'hi')).stdout).toBe('client reads: hi');
        });
      });

    it('take any port if the client requests none', async () => {
      const ssh: ChildProcess = client.spawn('ssh', [
        ...client.options(),
        ...['-v', '-N', '-R', `0:127.0.0.1:${port}`, 'root@job'],
      ]);
      const screen = new Screen(ssh);
      await screen.until(/Allocated port \d+ for/);
      const chosen = Number(/Allocated port (\d+)/.exec(screen.text)?.[1]);
      expect((await client.ssh([talk(chosen)], 'hi')).stdout).toBe('client reads: hi');
      ssh.kill();
      await once(ssh, 'exit');
    });

    it('are refused to keys that are not a user’s', async () => {
      for (const key of ['project', 'job']) {
        const args = ['-o', 'ExitOnForwardFailure=yes', '-N', '-R', `0:127.0.0.1:${port}`];
        const { code } = await client.run('ssh', [...client.options(key), ...args, 'root@job']);
        expect(code).toBe(255);
      }
    });

    it('lead from a unix socket of the job to the client, and from the client to one', async () => {
      const socket = kind === 'process' ? join(client.dir, 'in-job.sock') : '/tmp/dstack-test.sock';
      const local = join(client.dir, 'local.sock');
      await forwarding(['-R', `${socket}:127.0.0.1:${port}`], async () => {
        const { stdout } = await client.ssh([`stat -c '%F %a' ${socket}`]);
        expect(stdout).toBe('socket 600\n');
        await forwarding(['-L', `${local}:${socket}`], async () => {
          while (!existsSync(local)) await delay(20);
          const { stdout: got } = await client.run(jobNode(), ['-e', TALK, local], 'hi');
          expect(got).toBe('client reads: hi');
        });
      });
      let missing = await client.ssh([`test ! -e ${socket}`]);
      while (missing.code !== 0) missing = await client.ssh([`test ! -e ${socket}`]);
    });

    if (kind === 'confined')
      it('reach no sockets but those of the job’s user, and no ports that are root’s', async () => {
        const outside = `/run/dstack-outside-${process.pid}.sock`;
        const secret = createServer((socket) => socket.end('secret'));
        secret.listen(outside);
        await once(secret, 'listening');
        chmodSync(outside, 0o777);
        const local = join(client.dir, 'trap.sock');
        await forwarding(['-L', `${local}:${outside}`], async () => {
          while (!existsSync(local)) await delay(20);
          const { stdout } = await client.run(jobNode(), ['-e', TALK, local], '');
          expect(stdout).toBe('');
        });
        secret.close();
        for (const where of ['/run/dstack-made.sock', '777']) {
          const args = ['-o', 'ExitOnForwardFailure=yes', '-N', '-R', `${where}:127.0.0.1:${port}`];
          const { code } = await client.run('ssh', [...client.options(), ...args, 'root@job']);
          expect(code).toBe(255);
        }
      });

    if (kind === 'docker')
      it('do not reach sockets of the host by links', async () => {
        const outside = join(client.dir, 'outside.sock');
        const secret = createServer((socket) => socket.end('secret'));
        secret.listen(outside);
        await once(secret, 'listening');
        await client.ssh([`ln -s ${outside} /tmp/link.sock`]);
        const local = join(client.dir, 'trap.sock');
        await forwarding(['-L', `${local}:/tmp/link.sock`], async () => {
          while (!existsSync(local)) await delay(20);
          const { stdout } = await client.run(jobNode(), ['-e', TALK, local], '');
          expect(stdout).toBe('');
        });
        secret.close();
      });

    it("forward the client's agent to the session that requests it, and only while it lasts", async () => {
      const agentSocket = join(client.dir, 'agent.sock');
      const keys = client.spawn('ssh-agent', ['-D', '-a', agentSocket]);
      // It prints the socket's path once it listens; the file exists a little earlier.
      if (keys.stdout) await once(keys.stdout, 'data');
      const env = { SSH_AUTH_SOCK: agentSocket };
      execFileSync('ssh-add', ['-q', join(client.dir, 'job')], {
        env: { ...process.env, ...env },
      });
      const args = [...client.options('user', agentSocket), '-A', 'root@job'];
      const list =
        kind === 'docker'
          ? 'stat -c "%F %a" "$SSH_AUTH_SOCK"; echo $SSH_AUTH_SOCK'
          : 'ssh-add -l; echo $SSH_AUTH_SOCK';
      const { stdout } = await client.run('ssh', [...args, list]);
      expect(stdout).toMatch(kind === 'docker' ? /^socket 600\n/ : /ED25519/);
      const socket = stdout.trim().split('\n').at(-1) ?? '';
      expect(socket).toMatch(/^\/tmp\/dstack-agent-/);
      let missing = await client.ssh([`test ! -e $(dirname ${socket})`]);
      while (missing.code !== 0) missing = await client.ssh([`test ! -e $(dirname ${socket})`]);
      keys.kill();
      await once(keys, 'exit');
    });
  });
});
