import { readFileSync } from 'node:fs';
import type { Installation } from '@dstack/testkit';
import { startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { countedTo, linesOf, seenInLogs } from './counting.ts';
import {
  afterFailure,
  allIdle,
  applySshFleet,
  IMAGE,
  missingForHosts,
  onFleet,
  untilInstances,
} from './hosts.ts';
import {
  isFinished,
  isRunning,
  newInstallation,
  type ShownRun,
  submit,
  untilRun,
  untilStill,
} from './installation.ts';

/** Megabytes of the flood; 1000 for a thorough run. */
const FLOOD_MB = Number(process.env.DSTACK_FLOOD_MB ?? 200);
const LINE = 'All work and no play makes Jack a dull boy.'.padEnd(98, '.');
/** By how much a process may grow, as it collects garbage when it finds the time. */
const MOST_GROWTH_MB = 0.75 * FLOOD_MB;

describe.skipIf(missingForHosts() !== null)('output of jobs on SSH hosts', () => {
  let machines: TestHosts;
  let host: TestHost;
  let small: TestHost;
  let home: Installation;
  beforeAll(async () => {
    machines = await startHosts({ count: 2 });
    [host, small] = machines.hosts as [TestHost, TestHost];
    await machines.busybox(IMAGE);
    await small.exec(
      'mkdir -p /var/lib/dstack && mount -t tmpfs -o size=24m small /var/lib/dstack',
    );
    home = newInstallation({ DSTACK_SERVER_LOG_QUOTA_PER_JOB_HOUR: String(2e9) });
    await home.startServer();
    await applySshFleet(home, machines, 'pool', [host]);
    await applySshFleet(home, machines, 'small', [small]);
    await Promise.all(['pool', 'small'].map((name) => untilInstances(home, name, allIdle)));
  });
  afterEach(({ task }) => afterFailure(task, home, machines.hosts));
  afterAll(async () => {
    await home?.dispose();
    machines?.close();
  });

  it('waits for room on a full disk of the host, and is complete', async () => {
    // Long lines, so that the buffers in between are soon full.
    const pad = 'x'.repeat(8000);
    const loop = `i=0; while [ $i -lt 600 ]; do i=$((i + 1)); echo "line $i"; echo ${pad}; echo $i > /line; sleep 0.02; done`;
    await submit(home, 'patient', [loop, 'exit 3'], onFleet('small'));
    const run = await untilRun(home, 'patient', isRunning);
    await seenInLogs(home, 'patient', 'line 3');
    await small.exec('head -c 100M /dev/zero > /var/lib/dstack/ballast 2>/dev/null || true');
    const container = `dstack-${run.latest_job_submission.id}`;
    await untilStill(() => small.exec(`docker exec ${container} cat /line`));
    expect(isRunning(await untilRun(home, 'patient', () => true))).toBe(true);
    await small.exec('rm /var/lib/dstack/ballast');
    const { latest_job_submission: job } = await untilRun(home, 'patient', isFinished);
    expect(job.exit_status).toBe(3);
    expect(await linesOf(home, 'patient')).toEqual(countedTo(600));
  });

  it('is stored exactly as printed: multi-byte characters, and no final newline', async () => {
    const program = `BEGIN { for (i = 0; i < 100000; i++) printf "ä€𝄞 %d ", i }`;
    await submit(home, 'unicode', [`awk '${program}'`], onFleet('pool'));
    const run = await untilRun(home, 'unicode', isFinished);
    const text = Array.from({ length: 100_000 }, (_, i) => `ä€𝄞 ${i} `).join('');
    // The shell has printed its greeting before. Not `toBe`, which would print megabytes.
    expect((await home.ok('logs', 'unicode')).includes(text)).toBe(true);
    expect((await polled(run)).includes(text)).toBe(true);
  });

  /** The output in the official client. */
  async function polled(run: ShownRun): Promise<string> {
    const body = {
      run_name: 'unicode',
      job_submission_id: run.latest_job_submission.id,
      limit: 1000,
    };
    let text = '';
    for (let next_token: string | null = null; ; ) {
      const page: { logs: { message: string }[]; next_token: string | null } = await home.api(
        '/api/project/main/logs/poll',
        { ...body, next_token },
      );
      for (const { message } of page.logs) text += Buffer.from(message, 'base64').toString();
      if (page.next_token === null || page.logs.length === 0) return text;
      next_token = page.next_token;
    }
  }

  it(`arrives complete in a flood of ${FLOOD_MB} MB, with little memory, while other requests are served`, async () => {
    const lines = (FLOOD_MB * 1_000_000) / (LINE.length + 2);
    await submit(home, 'flood', [`yes '${LINE}' | head -n ${lines}`, 'exit 3'], onFleet('pool'));
    await untilRun(home, 'flood', isRunning);
    const agent = Number((await host.exec("pgrep -f '^/opt/.*/bin/node .*/main.js'")).trim());
    const memory = async () => ({
      server: residentMb(readFileSync(`/proc/${serverPid()}/status`)),
      agent: residentMb(await host.exec(`cat /proc/${agent}/status`)),
    });
    const before = await memory();
    const most = { ...before, request: 0, requests: 0 };
    for (let over = false; !over; ) {
      const start = performance.now();
      over = isFinished(await untilRun(home, 'flood', () => true));
      most.request = Math.max(most.request, performance.now() - start);
      most.requests += 1;
      const { server, agent } = await memory();
      most.server = Math.max(most.server, server);
      most.agent = Math.max(most.agent, agent);
    }
    const shown = [before, most].map((figures) => JSON.stringify(figures));
    console.info(`flood of ${FLOOD_MB} MB: before ${shown[0]}, at most ${shown[1]}`);
    const run = await untilRun(home, 'flood', isFinished);
    expect(run.latest_job_submission.exit_status).toBe(3);
    expect(most.server - before.server).toBeLessThan(MOST_GROWTH_MB);
    expect(most.agent - before.agent).toBeLessThan(MOST_GROWTH_MB);
    expect(await linesInLogs('flood')).toMatchObject({ [LINE]: lines });
  }, 300_000);

  /** The server's own process: the one started runs it as a child. */
  function serverPid(): number {
    const largest = home
      .processes()
      .filter((pid) => /server\0--port/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')))
      .map((pid) => ({ pid, size: residentMb(readFileSync(`/proc/${pid}/status`)) }))
      .toSorted((a, b) => b.size - a.size)[0];
    return largest?.pid ?? 0;
  }

  /** How often each line occurs, read as a stream. */
  async function linesInLogs(run: string): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    let rest = '';
    const onStdout = (text: string): void => {
      const lines = (rest + text).split(/\r?\n/);
      rest = lines.pop() ?? '';
      for (const line of lines) counts[line] = (counts[line] ?? 0) + 1;
    };
    const reader = home.spawn(['logs', '-f', run]);
    reader.stdout?.setEncoding('utf8').on('data', onStdout);
    await new Promise((resolve) => reader.once('close', resolve));
    return counts;
  }
});

function residentMb(status: string | Buffer): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(String(status))?.[1] ?? 0) / 1024);
}
