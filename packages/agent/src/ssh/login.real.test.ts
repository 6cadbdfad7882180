import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { describe, expect, it } from 'vitest';
import { eachWithJobSsh } from '../testing/job-ssh-harness.ts';
import { SecurityKeyAgent } from '../testing/security-key-agent.ts';

const job = eachWithJobSsh();

describe('logging in', () => {
  it('is refused without one of the keys', async () => {
    const { code, stderr } = await job.run(
      'ssh',
      job.sshArgs('stranger', 'root@127.0.0.1', 'true'),
    );
    expect(code).toBe(255);
    expect(stderr).toContain('Permission denied (publickey)');
    expect(job.ssh.lastActivity()).toBeNull();
  });

  it('is refused to a client with the public but without the private key', async () => {
    const own = ssh2.utils.parseKey(readFileSync(join(job.keys, 'stranger')));
    const known = ssh2.utils.parseKey(job.publicKey('project'));
    if (own instanceof Error || known instanceof Error) throw new Error('bad test keys');
    class Forger extends ssh2.BaseAgent {
      getIdentities(done: (error: undefined, keys: ssh2.ParsedKey[]) => void): void {
        done(undefined, [known as ssh2.ParsedKey]);
      }
      sign(_: unknown, data: Buffer, ...rest: unknown[]): void {
        const done = rest.at(-1) as (error: undefined, signature: Buffer) => void;
        done(undefined, (own as ssh2.ParsedKey).sign(data));
      }
    }
    const client = new ssh2.Client();
    const failed = once(client, 'ready').catch((error: Error) => error.message);
    client.connect({
      ...{ host: '127.0.0.1', port: job.ssh.port, username: 'root' },
      agent: new Forger() as unknown as ssh2.BaseAgent,
    });
    expect(await failed).toContain('All configured authentication methods failed');
    client.end();
  });

  it('is given up when it takes too long, or when too many wait for it', async () => {
    await job.restart({ loginMs: 1 });
    const slow = connect(job.ssh.port, '127.0.0.1');
    await once(slow.resume(), 'close');
    await job.restart({});
    const waiting = Array.from({ length: 50 }, () => connect(job.ssh.port, '127.0.0.1'));
    for (const socket of waiting) await once(socket, 'data');
    const late = connect(job.ssh.port, '127.0.0.1');
    await once(late.resume(), 'close');
    for (const socket of waiting) socket.destroy();
  });

  it('ends after six keys that do not fit', async () => {
    const wrong: string[] = [];
    for (let i = 0; i < 7; i++) {
      await job.run('ssh-keygen', [
        '-q',
        '-N',
        '',
        '-t',
        'ed25519',
        '-f',
        join(job.dir, `wrong${i}`),
      ]);
      wrong.push('-i', join(job.dir, `wrong${i}`));
    }
    const [port, ...rest] = job.sshArgs('user', 'root@127.0.0.1', 'true');
    const late = await job.run('ssh', [...wrong, port!, ...rest]);
    expect(late.code).toBe(255);
    const early = await job.run('ssh', [...wrong.slice(0, 10), port!, ...rest]);
    expect(early.code).toBe(1);
  });

  it('works under any name, and reports that there are no shells', async () => {
    for (const login of ['root', 'alice', 'ubuntu']) {
      const result = await job.run('ssh', job.sshArgs('user', `${login}@127.0.0.1`, 'echo hi'));
      expect(result).toMatchObject({ code: 1, stdout: '' });
      expect(result.stderr).toContain('no commands or shells');
    }
    const shell = await job.run('ssh', job.sshArgs('user', '-tt', 'root@127.0.0.1'));
    expect(shell.code).toBe(1);
  });

  it.each(['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'] as const)(
    'takes keys of hardware tokens (%s) that were touched',
    async (kind) => {
      const [token, stranger] = [new SecurityKeyAgent(kind), new SecurityKeyAgent(kind)];
      const login = async (agent: SecurityKeyAgent) => {
        const socket = join(job.dir, 'token.sock');
        await agent.listen(socket);
        const { stderr } = await job.run('ssh', [
          ...['-F', '/dev/null', '-p', String(job.ssh.port), '-o', `IdentityAgent=${socket}`],
          ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
          ...['-o', 'LogLevel=ERROR', 'root@127.0.0.1', 'true'],
        ]);
        agent.close();
        return /no commands or shells/.test(stderr) ? 'inside' : stderr.trim();
      };
      job.ssh.authorizeUsers([token.publicKey]);
      expect(await login(token)).toBe('inside');
      expect(await login(stranger)).toContain('Permission denied');
      token.flags = 0;
      expect(await login(token)).toContain('Permission denied');
    },
  );

  it('ends, and is refused from then on, when the key is replaced', async () => {
    const [port] = await job.attach('user', ['localhost:10999']);
    const forwarded = connect(port!, '127.0.0.1');
    await once(forwarded, 'connect');
    const closed = once(forwarded.resume(), 'close');
    job.ssh.authorizeUsers([job.publicKey('stranger')]);
    await closed;
    const login = (key: string) => job.run('ssh', job.sshArgs(key, 'root@127.0.0.1', 'true'));
    expect((await login('user')).stderr).toContain('Permission denied (publickey)');
    // The unknown key is accepted; the session ends only because this job has no shells.
    expect((await login('stranger')).stderr).toContain('no commands or shells');
  });

  it.each(['user', 'project'])('stays where the key of the %s still counts', async (key) => {
    await job.attach(key, ['localhost:10999']);
    job.ssh.authorizeUsers([job.publicKey('stranger'), job.publicKey('user')]);
    const { stdout, stderr } = await job.run('ssh', [
      ...['-F', '/dev/null', '-S', job.control, '-O', 'check', 'root@127.0.0.1'],
    ]);
    expect(stdout + stderr).toContain('Master running');
  });

  it('counts as activity for users only', async () => {
    let now = 5000;
    await job.restart({ now: () => now });
    await job.attach('project', ['localhost:10999']);
    expect(job.ssh.lastActivity()).toBeNull();
    await job.detach();
    await job.attach('user', ['localhost:10999']);
    expect(job.ssh.lastActivity()).toBe(5000);
    now = 7000;
    expect(job.ssh.lastActivity()).toBe(7000);
    await job.detach();
  });
});
