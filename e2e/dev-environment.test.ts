import { existsSync, readFileSync } from 'node:fs';
import type { Installation } from '@dstack/testkit';
import { dockerMissing } from '@dstack/testkit/docker';
import { layerOf } from '@dstack/testkit/registry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerHome, startDockerHome } from './docker.ts';
import { configuration, isFinished, isRunning, showRun, submit, untilRun } from './installation.ts';
import { untilPrinted } from './printed.ts';
import { until } from './until.ts';

const missing = dockerMissing() ?? (existsSync('/usr/bin/ssh') ? null : 'ssh');
if (missing) console.warn(`Dev environments in containers are NOT tested: ${missing} is missing`);

describe.skipIf(missing !== null)('a dev environment in a container', () => {
  let docker: DockerHome;
  let home: Installation;
  beforeAll(async () => {
    docker = await startDockerHome();
    home = docker.home;
    // An image with one program and nothing else: no shell, no accounts, no directories.
    await docker.engine.image(
      'static:test',
      layerOf('busybox', readFileSync('/usr/bin/busybox'), 0o755),
    );
  });
  afterAll(() => docker?.dispose());

  it('runs its commands and prints how to connect, by IDE and by SSH', async () => {
    const yaml =
      'type: dev-environment\nname: dev\nide: vscode\nimage: busybox:test\nworking_dir: /tmp/work\n' +
      'init: ["echo prepared in $PWD"]\nresources: {gpu: 0}\n';
    await home.ok('apply', '-f', configuration(home, 'dev.dstack.yml', yaml), '-y', '-d');
    await untilRun(home, 'dev', isRunning);
    await untilPrinted(home, 'dev', (text) => text.includes('Connect over SSH'));
    const logs = await home.ok('logs', 'dev');
    expect(logs).toContain('prepared in /tmp/work');
    expect(logs).toContain('vscode://vscode-remote/ssh-remote+dev/tmp/work');
    expect(logs).toContain('ssh dev');
    const run = await showRun(home, 'dev');
    expect(run.jobs[0]).toMatchObject({
      job_connection_info: {
        attached_ide_url: 'vscode://vscode-remote/ssh-remote+dev/tmp/work',
        attached_ssh_command: ['ssh', 'dev'],
      },
    });
    expect(await home.ok('ssh', 'dev', 'pwd; id -un')).toBe('/tmp/work\nroot\n');
    await home.ok('stop', 'dev', '-y', '--abort');
    await untilRun(home, 'dev', isFinished);
  });

  it('ends after its inactivity duration without a connection, and not before', async () => {
    const yaml =
      'type: dev-environment\nname: idle\nimage: busybox:test\ninactivity_duration: 4s\nresources: {gpu: 0}\n';
    await home.ok('apply', '-f', configuration(home, 'idle.dstack.yml', yaml), '-y', '-d');
    await untilRun(home, 'idle', isRunning);
    const session = home.spawn(['ssh', 'idle', 'echo there; cat']);
    await new Promise((resolve) => session.stdout?.once('data', resolve));
    const connected = Date.now();
    // The agent sends connection state with its metrics: this many samples could have ended the
    // run.
    const seen = async () => {
      const path = '/api/project/main/metrics/job/idle?limit=1';
      const response = await fetch(new URL(path, home.url), {
        headers: { authorization: `Bearer ${home.token()}` },
      });
      const { metrics } = (await response.json()) as { metrics: { timestamps: string[] }[] };
      return Date.parse(metrics[0]?.timestamps[0] ?? '') || 0;
    };
    await until(async () => (await seen()) >= connected + 8000);
    expect(isRunning(await showRun(home, 'idle'))).toBe(true);
    session.stdin?.end();
    const run = await untilRun(home, 'idle', isFinished);
    expect(run.latest_job_submission).toMatchObject({
      termination_reason: 'inactivity_duration_exceeded',
    });
    expect(run.latest_job_submission.termination_reason_message).toMatch(/inactive for \d+ s/);
  });

  it('accepts SSH sessions in an image that has nothing but one program', async () => {
    const entry = 'image: static:test\nentrypoint: /busybox\n';
    await submit(home, 'bare', ['sleep', '100000'], entry);
    await untilRun(home, 'bare', isRunning);
    expect(await home.ok('ssh', 'bare', '/busybox', 'echo', 'two words')).toBe('two words\n');
    const { code, stderr } = await home.dstack(['ssh', 'bare', 'ls | wc']);
    expect(code).toBe(127);
    expect(stderr).toMatch(/shell/);
    await home.ok('stop', 'bare', '-y', '--abort');
    await untilRun(home, 'bare', isFinished);
  });
});
