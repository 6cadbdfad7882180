import { readFileSync } from 'node:fs';
import type { Installation } from '@dstack/testkit';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type DockerHome, dockerInstallation, IMAGE, startDockerHome } from './docker.ts';
import {
  applyFleet,
  configuration,
  isFinished,
  isRunning,
  type ShownRun,
  showRun,
  submit,
  untilRun,
} from './installation.ts';
import { untilPrinted } from './printed.ts';

const missing = dockerMissing();
if (missing) console.warn(`Jobs in Docker are NOT tested: ${missing} is missing`);

const image = (name: string, more = '') => `image: ${name}\n${more}`;

describe.skipIf(missing !== null)('a task in a container on the server’s machine', () => {
  let docker: DockerHome;
  let engine: TestDocker;
  let home: Installation;
  beforeAll(async () => {
    docker = await startDockerHome();
    ({ engine, home } = docker);
    await engine.busybox('greeter:latest', [
      'CMD ["/bin/echo","from the image"]',
      'USER alice',
      'WORKDIR /tmp',
    ]);
  });
  afterAll(() => docker?.dispose());
  afterEach(async () => {
    expect(await leftContainers()).toEqual([]);
  });

  /** Removal is a separate effect, which may come just after the end of a run. */
  async function leftContainers(): Promise<string[]> {
    for (let attempt = 0; ; attempt++) {
      const all = await engine.docker.listContainers({ all: true });
      if (all.length === 0 || attempt > 200) return all.flatMap(({ Names }) => Names);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  async function whole(name: string): Promise<{ run: ShownRun; logs: string }> {
    const run = await untilRun(home, name, isFinished);
    return { run, logs: await home.ok('logs', name) };
  }

  async function untilLogs(name: string, text: string): Promise<void> {
    await untilPrinted(home, name, (printed) => printed.includes(text));
  }

  /**
   * Accepts connections and never answers; in a container, since only those can reach the daemon.
   */
  async function silentRegistry() {
    const container = await engine.docker.createContainer({
      Image: IMAGE,
      Cmd: ['nc', '-ll', '-p', '5000', '-e', 'sleep', '1000'],
    });
    await container.start();
    const { NetworkSettings } = await container.inspect();
    return {
      address: `${NetworkSettings.Networks.bridge?.IPAddress}:5000`,
      remove: () => container.remove({ force: true }),
    };
  }

  it('is described in the plan, pulls its image, prints and ends with its exit code', async () => {
    const yaml = `type: task\nname: hello\nimage: ${IMAGE}\ncommands:\n  - echo "hello $DSTACK_RUN_NAME on $(hostname)"\n  - exit 5\nresources: {gpu: 0}\n`;
    const file = configuration(home, 'hello.dstack.yml', yaml);
    const { code, stdout } = await home.dstack(['apply', '-f', file, '-y']);
    expect(stdout).toMatch(/docker/i);
    expect(stdout).not.toContain('local-process');
    expect(stdout).toContain('hello hello on hello');
    expect(code).toBe(5);
    const run = await showRun(home, 'hello');
    expect(run.latest_job_submission).toMatchObject({ status: 'failed', exit_status: 5 });
    const events = await home.api<{ message: string }[]>('/api/events/list', {
      within_runs: [run.id],
      ascending: true,
    });
    const messages = events.map(({ message }) => message);
    expect(messages).toContain('Job status changed PROVISIONING -> PULLING');
    expect(messages).toContain('Job status changed PULLING -> RUNNING');
  });

  it('has its environment, directory and user', async () => {
    const more = image(IMAGE, 'env: {GREETING: hello}\nworking_dir: /tmp/deep\nuser: alice\n');
    await submit(home, 'placed', ['echo "$GREETING $HOME"; pwd; id -un; touch x && echo ok'], more);
    const { run, logs } = await whole('placed');
    expect(logs).toMatch(/hello \/home\/alice\s+\/tmp\/deep\s+alice\s+ok/);
    expect(run.status).toBe('done');
  });

  it('runs its commands with its own entrypoint', async () => {
    await submit(home, 'entry', ['echo', 'one two'], image(IMAGE, 'entrypoint: /bin/busybox\n'));
    const { logs } = await whole('entry');
    expect(logs).toContain('one two');
  });

  it('runs the command of its image when it has none', async () => {
    const yaml = 'type: task\nname: own\nimage: greeter\nresources: {gpu: 0}\n';
    const file = configuration(home, 'own.dstack.yml', yaml);
    const { code, stdout } = await home.dstack(['apply', '-f', file, '-y']);
    expect(stdout).toContain('from the image');
    expect(code).toBe(0);
  });

  it('is refused if neither it nor its image has a command', async () => {
    const file = configuration(
      home,
      'nothing.dstack.yml',
      `type: task\nname: nothing\nimage: ${IMAGE}\nresources: {gpu: 0}\n`,
    );
    await home.dstack(['apply', '-f', file, '-y', '-d']);
    const run = await untilRun(home, 'nothing', isFinished);
    expect(run.status).toBe('failed');
    expect(run.latest_job_submission.termination_reason_message).toContain('names no command');
  });

  it('gets the requested shared memory', async () => {
    const yaml = `type: task\nname: shm\nimage: ${IMAGE}\ncommands: ["df -k /dev/shm | tail -1"]\nresources: {gpu: 0, shm_size: 96MB}\n`;
    await home.ok('apply', '-f', configuration(home, 'shm.dstack.yml', yaml), '-y', '-d');
    const { logs } = await whole('shm');
    expect(logs).toMatch(/\s98304\s/);
  });

  it('reports the image that cannot be pulled', async () => {
    await submit(home, 'absent', ['true'], image('registry.invalid/no/such:1'));
    const run = await untilRun(home, 'absent', isFinished);
    expect(run).toMatchObject({
      status: 'failed',
      latest_job_submission: { termination_reason: 'creating_container_error' },
    });
    expect(run.latest_job_submission.termination_reason_message).toContain(
      'registry.invalid/no/such:1',
    );
  });

  it('reports the program that its image does not have', async () => {
    const yaml = `type: task\nname: unknown\nimage: ${IMAGE}\nentrypoint: /no/such/program\ncommands: [x]\nresources: {gpu: 0}\n`;
    await home.ok('apply', '-f', configuration(home, 'unknown.dstack.yml', yaml), '-y', '-d');
    const { run, logs } = await whole('unknown');
    // The container's init process looks for the program; without one the Engine refuses to start.
    const { exit_status, termination_reason_message: message } = run.latest_job_submission;
    expect(run.status).toBe('failed');
    expect(`${logs}${message}`).toContain('/no/such/program');
    expect([127, null]).toContain(exit_status);
  });

  it('is killed at the end of its stop duration if it ignores Ctrl-C', async () => {
    const resisting = 'trap "" INT TERM HUP; echo ready; while :; do sleep 0.1; done';
    await submit(home, 'deaf', [resisting], image(IMAGE, 'stop_duration: 3s\n'));
    await untilLogs('deaf', 'ready');
    await home.ok('stop', 'deaf', '-y');
    expect(await untilRun(home, 'deaf', isFinished)).toMatchObject({
      status: 'terminated',
      termination_reason: 'stopped_by_user',
    });
  });

  it('can end gracefully on Ctrl-C', async () => {
    const polite = 'trap "echo bye; exit 0" INT; echo ready; while :; do sleep 0.1; done';
    await submit(home, 'polite', [polite], image(IMAGE));
    await untilLogs('polite', 'ready');
    await home.ok('stop', 'polite', '-y');
    const { run, logs } = await whole('polite');
    expect(run.termination_reason).toBe('stopped_by_user');
    expect(logs).toContain('bye');
  });

  it('is removed at once when it is aborted', async () => {
    const resisting = 'trap "" INT TERM HUP; echo ready; while :; do sleep 0.1; done';
    await submit(home, 'aborted', [resisting], image(IMAGE));
    await untilRun(home, 'aborted', isRunning);
    await home.ok('stop', 'aborted', '--abort', '-y');
    expect(await untilRun(home, 'aborted', isFinished)).toMatchObject({
      termination_reason: 'aborted_by_user',
    });
  });

  it('can be aborted while its image is being pulled', async () => {
    const { address, remove } = await silentRegistry();
    await submit(home, 'pulling', ['true'], image(`${address}/never:1`));
    await untilRun(home, 'pulling', (run) => run.latest_job_submission.status === 'pulling');
    await home.ok('stop', 'pulling', '--abort', '-y');
    expect(await untilRun(home, 'pulling', isFinished)).toMatchObject({ status: 'terminated' });
    await remove();
  });

  it.each([
    ['privileged', 'privileged: true\n'],
    ['volumes', 'volumes: ["/etc:/host"]\n'],
  ])('is refused a setting that gives it control of the host: %s', async (need, more) => {
    const yaml = `type: task\nname: ${need}\ncommands: [ls]\nresources: {gpu: 0}\n`;
    const file = configuration(home, `${need}.dstack.yml`, yaml + image(IMAGE, more));
    const { stdout, stderr } = await home.dstack(['apply', '-f', file, '-y', '-d']);
    expect(stdout + stderr).toMatch(new RegExp(`\`${need}\` would give.*DSTACK_LOCAL_TRUSTED=1`));
    expect((await untilRun(home, need, isFinished)).status).toBe('failed');
  });

  it('starts without a missing optional mount, and its output reports that', async () => {
    const volumes = 'volumes: [{instance_path: /etc, path: /host, optional: true}]\n';
    await submit(home, 'optional', ['ls /host || true'], image(IMAGE, volumes));
    const { logs } = await whole('optional');
    expect(logs).toMatch(/^\[dstack: the optional volume \/etc:\/host is left out.*TRUSTED/);
    expect(logs).toContain('No such file');
  });

  it('gets that control if the administrator trusts it, on an existing instance', async () => {
    await home.stopServer();
    home.env.DSTACK_LOCAL_TRUSTED = '1';
    await home.startServer();
    await submit(home, 'mount', ['cat /host/hostname'], image(IMAGE, 'volumes: ["/etc:/host"]\n'));
    const { run, logs } = await whole('mount');
    expect(run.status).toBe('done');
    expect(logs).toContain(readFileSync('/etc/hostname', 'utf8').trim());
  });

  it('is refused privileges that the host cannot grant, with the Engine’s message', async () => {
    await submit(
      home,
      'mighty',
      ['mkdir /m && mount -t tmpfs x /m && echo mounted'],
      image(IMAGE, 'privileged: true\n'),
    );
    const { run, logs } = await whole('mighty');
    if (run.status === 'done') return expect(logs).toContain('mounted');
    console.warn('privileged containers are NOT tested: this computer may not start them');
    expect(run.latest_job_submission.termination_reason).toBe('creating_container_error');
    expect(run.latest_job_submission.termination_reason_message).toMatch(/permi|rlimit|caps/);
  });
});

describe.skipIf(missing !== null)('blocks of the server’s machine', () => {
  it('limit the container of each job to its share', async () => {
    const engine = await startDocker();
    const home = dockerInstallation(engine);
    try {
      await engine.busybox(IMAGE);
      await home.startServer();
      await applyFleet(home, '0..1', 'blocks: 2\n');
      const yaml = `type: task\nname: NAME\nimage: ${IMAGE}\ncommands: [sleep 1000]\nresources: {gpu: 0, cpu: 1.., memory: 100MB.., disk: 1GB..}\n`;
      for (const name of ['half', 'other']) {
        const file = configuration(home, `${name}.dstack.yml`, yaml.replace('NAME', name));
        await home.ok('apply', '-f', file, '-y', '-d');
        await untilRun(home, name, isRunning);
      }
      const containers = await engine.docker.listContainers();
      expect(containers).toHaveLength(2);
      for (const { Id } of containers) {
        const { HostConfig } = await engine.docker.getContainer(Id).inspect();
        expect(HostConfig.NanoCpus).toBeGreaterThan(0);
        expect(HostConfig.Memory).toBeGreaterThan(0);
      }
      const fleet = JSON.parse(await home.ok('fleet', 'get', 'default', '--json'));
      expect(fleet.instances).toHaveLength(1);
    } finally {
      await home.dispose();
      await engine.close();
    }
  });
});
