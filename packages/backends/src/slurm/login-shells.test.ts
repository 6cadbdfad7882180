import { spawn } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { LoginShells, type RemoteShell } from './login-shells.ts';

const opened: RemoteShell[] = [];
let greeting = '';

function open(): Promise<RemoteShell> {
  const child = spawn('sh', ['-c', `${greeting} exec sh -s`]);
  child.on('error', () => {});
  const { stdin, stdout, stderr } = child;
  const shell = { stdin, stdout, stderr, close: () => void child.kill('SIGKILL') };
  opened.push(shell);
  return Promise.resolve(shell);
}

afterEach(() => {
  for (const shell of opened.splice(0)) shell.close();
  greeting = '';
});

describe('shells on a login node', () => {
  it('run one script after another in the same shell, and leave nothing of one to the next', async () => {
    greeting = 'echo welcome; echo warning >&2;';
    const shells = new LoginShells(open);
    expect(await shells.run('echo a; echo b >&2; x=1; cd /; exit 3', 5000)).toEqual({
      ...{ code: 3, stdout: 'a\n', stderr: 'b\n' },
    });
    const next = await shells.run('printf "%s" "${x-none} $PWD"; cat', 5000);
    expect(next).toEqual({ code: 0, stdout: `none ${process.cwd()}`, stderr: '' });
    expect(opened).toHaveLength(1);
  });

  it('run a limited number of scripts at a time', async () => {
    const shells = new LoginShells(open);
    const all = Array.from({ length: 30 }, (_, index) => shells.run(`echo ${index}`, 20_000));
    const outputs = (await Promise.all(all)).map(({ stdout }) => stdout);
    expect(outputs).toEqual(Array.from({ length: 30 }, (_, index) => `${index}\n`));
    expect(opened.length).toBeLessThanOrEqual(4);
  });

  it('end with a script that does not answer, and with it alone', async () => {
    const shells = new LoginShells(open);
    const other = shells.run('sleep 0.3; echo other', 20_000);
    await expect(shells.run('sleep 3', 50)).rejects.toThrow('no answer within 0.05 seconds');
    expect((await other).stdout).toBe('other\n');
    expect((await shells.run('echo again', 20_000)).stdout).toBe('again\n');
  });

  it('report a shell that breaks, and open another one', async () => {
    const shells = new LoginShells(open);
    await expect(shells.run('kill -9 $$', 20_000)).rejects.toThrow('ended');
    const running = shells.run('sleep 3', 20_000);
    while (opened.length < 2) await new Promise(setImmediate);
    opened[1]?.close();
    await expect(running).rejects.toThrow('ended');
    expect((await shells.run('echo again', 20_000)).stdout).toBe('again\n');
  });

  it('keep a long output whole', async () => {
    const shells = new LoginShells(open);
    const { stdout } = await shells.run('seq 200000', 20_000);
    expect(stdout.split('\n')).toHaveLength(200_001);
  });
});
