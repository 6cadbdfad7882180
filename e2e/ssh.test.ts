import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Installation } from '@dstack/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyFleet, isRunning, newInstallation, submit, untilRun } from './installation.ts';

const missing = existsSync('/usr/bin/ssh') ? null : 'ssh';
if (missing) console.warn(`SSH into runs is NOT tested: ${missing} is missing`);

describe.skipIf(missing !== null)('a run by ssh', () => {
  let home: Installation;
  beforeAll(async () => {
    home = newInstallation();
    await home.startServer();
    await applyFleet(home, '0..2');
    await submit(home, 'sleeper', ['sleep 100000'], 'env: [GREETING=hello]\n');
    await untilRun(home, 'sleeper', isRunning);
  });
  afterAll(() => home?.dispose());

  it('runs commands by the configuration that attaching writes', async () => {
    const attached = home.spawn(['attach', 'sleeper']);
    let printed = '';
    await new Promise<void>((resolve, reject) => {
      const onData = (data: Buffer) => {
        printed += data;
        if (printed.includes('Press Ctrl+C')) resolve();
      };
      attached.stdout?.on('data', onData);
      attached.stderr?.on('data', onData);
      attached.once('exit', (code) => reject(new Error(`attach ended with ${code}: ${printed}`)));
    });
    const config = join(home.home, '.dstack', 'ssh', 'config');
    const words = 'echo "$DSTACK_RUN_NAME $GREETING"; pwd; echo "$DSTACK_WORKING_DIR"; exit 4';
    const ssh = spawn('ssh', ['-F', config, 'sleeper', words], { stdio: 'pipe' });
    ssh.stdin.end();
    const [out, [code]] = await Promise.all([text(ssh.stdout), once(ssh, 'close')]);
    const [names, directory, workingDir] = out.split('\n');
    expect({ names, code }).toEqual({ names: 'sleeper hello', code: 4 });
    expect(directory).toBe(workingDir);
    const ended = once(attached, 'exit');
    attached.kill('SIGINT');
    await ended;
  });

  it('runs commands by `dstack ssh`, with input, output and exit code', async () => {
    const words = 'cat; echo error >&2; echo "$GREETING"; exit 5';
    const answer = await home.dstack(['ssh', 'sleeper', '--', words], { input: 'typed ' });
    expect(answer).toEqual({ code: 5, stdout: 'typed hello\n', stderr: 'error\n' });
    const terminal = await home.dstack(['ssh', '-t', 'sleeper', '--', 'test', '-t', '0']);
    expect(terminal.code).toBe(0);
  });

  it('reports that there is no such run', async () => {
    const { code, stderr } = await home.dstack(['ssh', 'nobody', '--', 'true']);
    expect(code).toBe(3);
    expect(stderr).toContain('nobody');
  });
});
