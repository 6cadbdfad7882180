import ssh2 from 'ssh2';
import { describe, expect, it } from 'vitest';
import { eachWithJobSsh } from '../testing/job-ssh-harness.ts';

const job = eachWithJobSsh();

describe('sessions', () => {
  it('go to the function that runs them', async () => {
    await job.restart({
      exec: async (request) => {
        const { kind, command, env, terminal, identity } = request;
        let input = '';
        for await (const data of request.channel) input += data;
        request.channel.write(JSON.stringify({ kind, command, env, terminal, identity, input }));
        request.channel.stderr.write('to stderr');
        request.exit(7);
      },
    });
    const args = job.sshArgs('job', '-o', 'SetEnv=LANG=C EVIL=1', 'bob@127.0.0.1', 'cat "a b"');
    const { code, stdout, stderr } = await job.run('ssh', args, 'text');
    expect([code, stderr]).toEqual([7, 'to stderr']);
    expect(JSON.parse(stdout)).toEqual({
      kind: 'exec',
      command: 'cat "a b"',
      env: { LANG: 'C' },
      terminal: null,
      identity: { owner: 'job', login: 'bob' },
      input: 'text',
    });
  });

  it('report to the client why they failed', async () => {
    await job.restart({
      exec: async () => {
        throw new Error('the job has ended');
      },
    });
    const result = await job.run('ssh', job.sshArgs('user', 'root@127.0.0.1', 'true'));
    expect(result).toMatchObject({ code: 1, stderr: 'the job has ended\r\n' });
  });

  it('are not for the keys of the project', async () => {
    const result = await job.run('ssh', job.sshArgs('project', 'root@127.0.0.1', 'true'));
    expect(result.code).toBe(255);
  });
});

it('listens on its previous port, or another one if that is taken', async () => {
  const had = job.ssh.port;
  await job.restart({ preferredPort: had });
  expect(job.ssh.port).toBe(had);
  const second = await job.another({
    preferredPort: had,
    authorizedKeys: { user: [], project: [], job: [] },
  });
  expect(second.port).not.toBe(had);
  await second.close();
});

it('skips keys that it cannot check and reports them', async () => {
  const unusable: string[] = [];
  await job.restart({
    authorizedKeys: {
      user: ['sk-ssh-ed25519@openssh.com AAAA', job.publicKey('user')],
      project: [],
      job: [],
    },
    onUnusableKey: (owner) => unusable.push(owner),
  });
  expect(unusable).toEqual(['user']);
  await job.attach('user', ['localhost:10999']);
});

it('shows the configured host key', async () => {
  const { stdout } = await job.run('ssh-keyscan', ['-p', String(job.ssh.port), '127.0.0.1']);
  const key = ssh2.utils.parseKey(job.hostKeyPem);
  if (key instanceof Error) throw key;
  expect(stdout).toContain(key.getPublicSSH().toString('base64'));
});
