import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dockerInstallation } from './docker.ts';
import { applyFleet, isFinished, isRunning, submit, untilRun } from './installation.ts';
import { until } from './until.ts';

const PYTHON = '/usr/bin/python3.11';
const LIBRARY = '/usr/lib/python3.11';
const missing =
  dockerMissing() ?? [PYTHON, LIBRARY, '/bin/bash'].find((path) => !existsSync(path)) ?? null;
if (missing) console.warn(`The default image is NOT tested: ${missing} is missing`);

/** Replaces uv for the prologue, as uv may not be installed on this computer. */
const UV = `#!/bin/sh
[ "$1" = venv ] || { echo "uv: unexpected $*" >&2; exit 2; }
version=
while [ $# -gt 1 ]; do [ "$1" = --python ] && version=$2; shift; done
[ "$version" = 3.11 ] || { echo "uv: no Python $version" >&2; exit 2; }
exec ${PYTHON} -m venv --without-pip "$1"
`;

describe.skipIf(missing !== null)('a task without an image', () => {
  let engine: TestDocker;
  let home: Installation;
  let dir: string;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'base-image-'));
    const uv = join(dir, 'uv');
    const start = join(dir, 'start-dockerd');
    writeFileSync(uv, UV);
    writeFileSync(start, '#!/bin/sh\necho "dockerd would start here"\n');
    for (const path of [uv, start]) chmodSync(path, 0o755);
    engine = await startDocker();
    const programs = ['/bin/bash', PYTHON];
    const named = { [uv]: '/usr/local/bin/uv' };
    const dind = { [start]: '/usr/local/bin/start-dockerd' };
    await engine.programs('base:7-base-ubuntu24.04', programs, { data: [LIBRARY], named });
    await engine.programs('base:7-devel-ubuntu24.04', programs, { data: [LIBRARY], named });
    await engine.programs('dind:test', ['/bin/bash'], { named: dind });
    home = dockerInstallation(engine, {
      DSTACK_DOCKER_BASE_IMAGE: 'base',
      DSTACK_DOCKER_BASE_IMAGE_VERSION: '7',
      DSTACK_DIND_IMAGE: 'dind:test',
      DSTACK_LOCAL_TRUSTED: '1',
    });
    await home.startServer();
    await applyFleet(home, '0..2');
  });
  afterAll(async () => {
    await home?.dispose();
    await engine?.close();
    rmSync(dir, { recursive: true });
  });

  const logsOf = async (name: string) => (await home.ok('logs', name)).replaceAll('\r', '');
  const WHERE = 'import sys; print(sys.prefix, sys.version_info[:2])';

  it('has the Python version of its configuration, in its commands and in SSH sessions', async () => {
    const lines = [`python -c '${WHERE}'`, 'echo "$DSTACK_VENV_DIR"', 'sleep 100000'];
    await submit(home, 'python', lines, 'python: "3.11"\n');
    await untilRun(home, 'python', (run) => isRunning(run) || isFinished(run));
    await until(async () => (await logsOf('python')).includes('\n/dstack/venv\n'));
    expect(await logsOf('python')).toContain('/dstack/venv (3, 11)\n');
    const inside = await home.ok('ssh', 'python', `bash -lc "python -c '${WHERE}'; pwd"`);
    expect(inside).toMatch(/^\/dstack\/venv \(3, 11\)\n\//);
    await home.ok('stop', 'python', '-y', '--abort');
    await untilRun(home, 'python', isFinished);
  });

  it('is refused if it requests an unsupported Python version', async () => {
    await submit(home, 'unknown', ['echo not reached'], 'python: "3.9"\n');
    const run = await untilRun(home, 'unknown', isFinished);
    expect(run.status).toBe('failed');
    expect(await logsOf('unknown')).toMatch(/3\.9/);
    expect(await logsOf('unknown')).not.toContain('not reached');
  });

  it('runs in the image with the CUDA compiler if `nvcc` is set', async () => {
    await submit(home, 'nvcc', ['sleep 100000'], 'python: "3.11"\nnvcc: true\n');
    await untilRun(home, 'nvcc', isRunning);
    const [container] = await engine.docker.listContainers();
    const { RepoTags } = await engine.docker.getImage(container?.ImageID ?? '').inspect();
    expect(RepoTags).toEqual(['base:7-devel-ubuntu24.04']);
    await home.ok('stop', 'nvcc', '-y', '--abort');
    await untilRun(home, 'nvcc', isFinished);
  });

  it('gets a Docker of its own, or the Engine’s words why it may not have one', async () => {
    await submit(home, 'dind', ['echo "and then $0"'], 'docker: true\n');
    const run = await untilRun(home, 'dind', isFinished);
    if (run.status === 'done') {
      expect(await logsOf('dind')).toMatch(/dockerd would start here\nand then .*sh\n/);
      return;
    }
    console.warn('privileged containers are NOT tested: this computer may not start them');
    expect(run.latest_job_submission).toMatchObject({
      termination_reason: 'creating_container_error',
      termination_reason_message: expect.stringMatching(/permi|rlimit|caps/),
    });
  });
});
