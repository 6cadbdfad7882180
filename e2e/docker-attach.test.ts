import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { Installation } from '@dstack/testkit';
import { dockerMissing } from '@dstack/testkit/docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerHome, IMAGE, startDockerHome } from './docker.ts';
import { isFinished, isRunning, submit, untilRun } from './installation.ts';
import { untilPrinted } from './printed.ts';

const missing = dockerMissing() ?? (existsSync('/usr/bin/ssh') ? null : 'ssh');
if (missing) console.warn(`Attaching to containers is NOT tested: ${missing} is missing`);

describe.skipIf(missing !== null)('attaching to a job in a container', () => {
  let docker: DockerHome;
  let home: Installation;
  beforeAll(async () => {
    docker = await startDockerHome();
    home = docker.home;
    const serve = [
      'mkdir -p /www && echo "from $DSTACK_RUN_NAME" > /www/index.html',
      // On loopback only: unreachable from outside of the container's network.
      'httpd -p 127.0.0.1:8000 -h /www && echo serving',
      'while :; do sleep 0.1; done',
    ];
    await submit(home, 'site', serve, `image: ${IMAGE}\nports: [8000]\n`);
    await untilRun(home, 'site', isRunning);
    await untilPrinted(home, 'site', (text) => text.includes('serving'));
  });
  afterAll(() => docker?.dispose());

  /** Starts `dstack attach` and waits for its output. */
  async function attach(args: string[], until: RegExp) {
    const child = home.spawn(['attach', 'site', ...args]);
    let printed = '';
    const found = await new Promise<RegExpExecArray>((resolve, reject) => {
      const add = (chunk: Buffer) => {
        printed += chunk;
        const match = until.exec(printed);
        if (match) resolve(match);
      };
      child.stdout?.on('data', add);
      child.stderr?.on('data', add);
      child.on('exit', (code) => reject(new Error(`attach ended with ${code}: ${printed}`)));
    });
    const detach = async () => {
      const exit = new Promise<number | null>((resolve) => child.on('exit', resolve));
      child.kill('SIGINT');
      return { code: await exit, printed };
    };
    return { found, detach };
  }

  it('forwards a port to an app on the container’s loopback', async () => {
    const { found, detach } = await attach([], /localhost:(\d+) -> 8000/);
    const response = await fetch(`http://localhost:${found[1]}/index.html`);
    expect(await response.text()).toBe('from site\n');
    const { code, printed } = await detach();
    expect(printed).toContain('Detached');
    expect(code).toBe(0);
    await expect(fetch(`http://localhost:${found[1]}/`)).rejects.toThrow();
  });

  it('makes OpenSSH reach it by the name of its run', async () => {
    const { detach } = await attach([], /ssh site/);
    const args = ['-F', `${home.home}/.ssh/config`, '-W', '127.0.0.1:8000', 'site'];
    const ssh = spawn('ssh', args, { env: home.env, stdio: ['pipe', 'pipe', 'inherit'] });
    ssh.stdin.write('GET /index.html HTTP/1.0\r\n\r\n');
    const answer = await text(ssh.stdout);
    expect(answer).toMatch(/200 OK[\s\S]*from site/);
    await detach();
  });

  it('shows the output of the job with --logs, and ends with the job', async () => {
    await submit(home, 'brief', ['echo one', 'sleep 2', 'echo two'], `image: ${IMAGE}\n`);
    await untilRun(home, 'brief', (run) => isRunning(run) || isFinished(run));
    const { code, stdout } = await home.dstack(['attach', 'brief', '--logs']);
    expect(stdout).toMatch(/one\s+two/);
    expect(code).toBe(0);
  });

  it('leaves the run running after Ctrl-C', async () => {
    const run = await untilRun(home, 'site', () => true);
    expect(run.status).toBe('running');
    await home.ok('stop', 'site', '--abort', '-y');
    await untilRun(home, 'site', isFinished);
  });
});
