import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Installation } from '@dstack/testkit';
import { startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { countedTo, counting, linesOf, seenInLogs } from './counting.ts';
import {
  afterFailure,
  allIdle,
  applySshFleet,
  IMAGE,
  missingForHosts,
  onFleet,
  untilInstances,
} from './hosts.ts';
import { isFinished, isRunning, newInstallation, submit, untilRun } from './installation.ts';

describe.skipIf(missingForHosts() !== null)('a host of an SSH fleet', () => {
  let machines: TestHosts;
  let host: TestHost;
  let home: Installation;
  beforeAll(async () => {
    machines = await startHosts({ count: 1 });
    host = machines.hosts[0] as TestHost;
    await machines.busybox(IMAGE);
    home = newInstallation();
    await home.startServer();
    await applySshFleet(home, machines, 'pool', [host], 2);
    await untilInstances(home, 'pool', allIdle);
  });
  afterEach(({ task }) => afterFailure(task, home, machines.hosts));
  afterAll(async () => {
    await home?.dispose();
    machines?.close();
  });

  async function start(name: string, lines: number, more = ''): Promise<void> {
    // An interactive shell would ignore the signal that a daemon sends before it kills.
    const commands = ["trap 'exit 143' TERM", ...counting(lines)];
    await submit(home, name, commands, onFleet('pool') + more);
    await untilRun(home, name, isRunning);
    await seenInLogs(home, name, 'line 3');
  }

  /** Its output up to some line has no gaps, and the host accepts the next job. */
  async function expectUsable(name: string): Promise<void> {
    const lines = await linesOf(home, name);
    expect(lines.length).toBeGreaterThan(2);
    expect(lines).toEqual(countedTo(lines.length));
    await untilInstances(home, 'pool', allIdle);
    await submit(home, `after-${name}`, counting(2), onFleet('pool'));
    const next = await untilRun(home, `after-${name}`, isFinished);
    expect(next.latest_job_submission.exit_status).toBe(3);
    expect(await linesOf(home, `after-${name}`)).toEqual(countedTo(2));
  }

  describe('that loses power', () => {
    it('ends its job with the reason, and works again after booting', async () => {
      await start('powered', 3000);
      await host.crash();
      await untilInstances(home, 'pool', (all) => all.every(({ unreachable }) => unreachable));
      await host.boot();
      const { latest_job_submission: job } = await untilRun(home, 'powered', isFinished);
      expect(job).toMatchObject({
        termination_reason: 'instance_unreachable',
        termination_reason_message: 'The host was restarted while the job ran',
        exit_status: null,
      });
      const explained = await home.ok('explain', 'powered');
      expect(explained).toContain('The host was restarted while the job ran');
      expect(explained).toContain('retry');
      await expectUsable('powered');
    });

    it('runs a retried job again', async () => {
      await start('stubborn', 30, 'retry: {on_events: [error], duration: 1h}\n');
      await host.crash();
      await host.boot();
      const run = await untilRun(
        home,
        'stubborn',
        (it) => it.latest_job_submission.exit_status === 3,
      );
      expect(run.jobs[0]?.job_submissions[0]).toMatchObject({
        termination_reason: 'instance_unreachable',
      });
      expect(await linesOf(home, 'stubborn')).toEqual(countedTo(30));
      await home.ok('stop', 'stubborn', '-y');
      await untilRun(home, 'stubborn', isFinished);
    });
  });

  describe('whose Docker daemon is', () => {
    it.each([
      ['stopped', 'TERM'],
      ['killed', 'KILL'],
    ] as const)('%s ends its job with the reason', async (what, signal) => {
      await start(what, 3000);
      await host.stopDocker(signal);
      await host.startDocker();
      const { latest_job_submission: job } = await untilRun(home, what, isFinished);
      expect(job).toMatchObject({
        termination_reason: 'interrupted_by_no_capacity',
        termination_reason_message: expect.stringMatching(/Docker daemon .*live-restore/),
      });
      await expectUsable(what);
    });

    it('down delays jobs that are about to start', async () => {
      await host.stopDocker();
      await submit(home, 'early', counting(2), onFleet('pool'));
      await untilRun(home, 'early', (run) => run.latest_job_submission.status === 'pulling');
      await host.startDocker();
      const early = await untilRun(home, 'early', isFinished);
      expect(early.latest_job_submission.exit_status).toBe(3);
    });

    it.each([
      ['stopped', 'TERM'],
      ['killed', 'KILL'],
    ] as const)('%s with live-restore keeps its jobs, and every line', async (what, signal) => {
      const name = `live-${what}`;
      await host.stopDocker();
      await host.startDocker({ 'live-restore': true, 'insecure-registries': ['10.0.0.0/8'] });
      // Longer than Docker is down: it loses the last lines of a container that ends meanwhile.
      await start(name, 100);
      await host.stopDocker(signal);
      await host.startDocker();
      const run = await untilRun(home, name, isFinished);
      expect(run.latest_job_submission.exit_status).toBe(3);
      expect(await linesOf(home, name)).toEqual(countedTo(100));
      await untilInstances(home, 'pool', allIdle);
    });
  });

  describe('reports an image', () => {
    let registry: Server;
    let address: string;
    beforeAll(async () => {
      registry = createServer((request, response) => {
        const open = !request.url?.includes('private') && request.url !== '/v2/';
        if (open) return void answer(response, 404, 'MANIFEST_UNKNOWN');
        if (request.url === '/v2/') return void response.end('{}');
        response.setHeader('www-authenticate', 'Basic realm="registry"');
        answer(response, 401, 'UNAUTHORIZED');
      });
      await new Promise<void>((done) => registry.listen(0, machines.gateway, done));
      address = `${machines.gateway}:${(registry.address() as AddressInfo).port}`;
    });
    afterAll(() => registry.close());

    it.each([
      ['that it does not exist', 'absent', /pullImage error: .*absent.*(not found|unknown)/],
      ['that the registry refuses it', 'private', /pullImage error: .*private.*(auth|denied)/],
    ])('%s', async (_, image, words) => {
      await submit(home, image, ['true'], onFleet('pool', `${address}/${image}:1`));
      const { latest_job_submission: job } = await untilRun(home, image, isFinished);
      expect(job).toMatchObject({ termination_reason: 'creating_container_error' });
      expect(job.termination_reason_message).toMatch(words);
      expect(await home.ok('explain', image)).toContain('pullImage error');
      await untilInstances(home, 'pool', allIdle);
    });
  });

  it('kills a container that ignores signals at its deadline', async () => {
    const deaf = ["trap '' INT TERM HUP", 'echo line deaf', 'while :; do sleep 1; done'];
    await submit(home, 'deaf', deaf, `${onFleet('pool')}stop_duration: 2s\n`);
    await untilRun(home, 'deaf', isRunning);
    await seenInLogs(home, 'deaf', 'line deaf');
    await home.ok('stop', 'deaf', '-y');
    const run = await untilRun(home, 'deaf', isFinished);
    expect(run).toMatchObject({ status: 'terminated', termination_reason: 'stopped_by_user' });
    await untilInstances(home, 'pool', allIdle);
  });

  it('loses no line and no exit code while its agent is killed twenty times', async () => {
    await submit(home, 'steady', counting(1200, 0.03), onFleet('pool'));
    const burst = 'j=0; while [ $j -lt 50 ]; do j=$((j + 1)); echo "line $((i * 50 + j))"; done';
    const bursts = [
      `i=0; while [ $i -lt 72 ]; do ${burst}; i=$((i + 1)); sleep 0.5; done`,
      'exit 4',
    ];
    await submit(home, 'bursts', bursts, onFleet('pool'));
    await Promise.all(['steady', 'bursts'].map((name) => untilRun(home, name, isRunning)));
    const script = `
      for i in $(seq 20); do
        until pid=$(pgrep -f '^/opt/[^ ]*/bin/node .*/main.js'); do sleep 0.01; done
        sleep 0.$((RANDOM % 1000))
        kill -9 $pid
        while kill -0 $pid 2>/dev/null; do sleep 0.01; done
      done`;
    await host.exec(script);
    const ends = ['steady', 'bursts'].map((name) => untilRun(home, name, isFinished));
    const [steady, bursting] = await Promise.all(ends);
    expect(steady?.latest_job_submission.exit_status).toBe(3);
    expect(bursting?.latest_job_submission.exit_status).toBe(4);
    expect(await linesOf(home, 'steady')).toEqual(countedTo(1200));
    expect(await linesOf(home, 'bursts')).toEqual(countedTo(3600));
  }, 120_000);
});

function answer(response: import('node:http').ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }));
}
