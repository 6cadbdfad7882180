import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { isFinished, isRunning, type ShownRun, showRun, submit, untilRun } from './installation.ts';
import {
  applyCloudFleet,
  instancesOf,
  leftOver,
  newSimCloud,
  processesOfInstance,
  type SimCloud,
  statusOf,
  waitsFor,
} from './sim-cloud.ts';
import { until } from './until.ts';

let cloud: SimCloud;
afterEach(() => cloud.home.dispose());

async function started(...knobs: string[]): Promise<SimCloud> {
  cloud = newSimCloud(knobs);
  await cloud.home.startServer();
  return cloud;
}

interface ShownSubmissions {
  readonly jobs: readonly {
    readonly job_submissions: readonly { readonly termination_reason: string | null }[];
  }[];
}

const reasons = (run: ShownRun) =>
  (run as unknown as ShownSubmissions).jobs[0]?.job_submissions.map(
    ({ termination_reason }) => termination_reason,
  );

/** Metadata in the form of EC2, which announce an end to the machine that asks first. */
async function spotMetadata() {
  let seconds: number | null = null;
  const server = createServer((_, response) => {
    if (seconds === null) {
      response.writeHead(404).end();
      return;
    }
    const time = new Date(Date.now() + seconds * 1000).toISOString();
    seconds = null;
    response.end(JSON.stringify({ action: 'terminate', time }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    announce: (left: number) => {
      seconds = left;
    },
    close: () => void server.close(),
  };
}

describe('a cloud', () => {
  it('makes a machine for a run, keeps it for the next one, and ends it when it is idle', async () => {
    const { home, control } = await started();
    await applyCloudFleet(home, ['nodes: 0..1', 'idle_duration: 15s']);
    control.set({ hold: 'boot' });
    await submit(home, 'first', ['echo hello from a machine']);
    const waits = await untilRun(home, 'first', ({ latest_job_submission: latest }) =>
      latest.status_message.includes('booting'),
    );
    expect(waits.status_message).toBe('provisioning (booting)');
    expect(await home.ok('ps')).toContain('provisioning (booting)');
    expect(await home.ok('fleet')).toMatch(/aws.*provisioning.*booting/);
    const explained = await home.ok('explain', 'instance', 'pool-0');
    expect(explained).toMatch(/agent has not connected yet \(booting\)/);
    control.set({});
    expect((await untilRun(home, 'first', isFinished)).status).toBe('done');
    expect(await home.ok('logs', 'first')).toContain('hello from a machine');
    expect((await instancesOf(home)).map(({ status }) => status)).toEqual(['idle']);
    const [machine] = control.machines();
    await submit(home, 'second', ['echo hello again']);
    expect((await untilRun(home, 'second', isFinished)).status).toBe('done');
    expect(control.machines()).toEqual([machine]);
    await until(async () => (await instancesOf(home)).length === 0);
    expect(control.history()).toEqual([`+${machine?.id}`, `-${machine?.id}`]);
    expect(processesOfInstance(cloud)).toEqual([]);
  });

  it('reports that there is no capacity where the cloud honours no offer', async () => {
    const { home, control } = await started();
    await applyCloudFleet(home, ['nodes: 0..1']);
    control.set({ no_capacity: 1 });
    await submit(home, 'unlucky', ['true']);
    const run = await untilRun(home, 'unlucky', isFinished);
    expect(run.latest_job_submission).toMatchObject({
      termination_reason: 'failed_to_start_due_to_no_capacity',
      status_message: 'no capacity',
    });
    expect(control.history()).toEqual([]);
  });

  it('announces that it takes a machine back: the job gets notice, and the run goes on elsewhere by its retry', async () => {
    const metadata = await spotMetadata();
    try {
      const { home, control } = await started(`notice_url: ${metadata.url}`);
      await applyCloudFleet(home, ['nodes: 0..2', 'idle_duration: 0s']);
      const mark = join(home.home, 'mark');
      const commands = [
        `if [ -e ${mark} ]; then echo second; exit 0; fi`,
        `touch ${mark}`,
        `sh -c '${[
          'trap "echo saved; exit 5" INT',
          'while [ ! -s "$DSTACK_PREEMPTION_FILE" ]; do sleep 0.1; done',
          'cat "$DSTACK_PREEMPTION_FILE"',
          'while :; do sleep 0.1; done',
        ].join('; ')}'`,
      ];
      const retry = 'retry:\n  on_events: [interruption]\n  duration: 1h\n';
      await submit(home, 'told', commands, retry);
      await untilRun(home, 'told', isRunning);
      const [first] = control.machines();
      metadata.announce(12);
      const done = await untilRun(home, 'told', isFinished);
      expect(reasons(done)).toEqual(['interrupted_by_no_capacity', 'done_by_runner']);
      const output = await home.ok('logs', 'told', '--attempt', '1');
      expect(output).toMatch(/"reason":"aws takes pool-0 back: terminate at [^"]*"/);
      expect(output).toContain('saved');
      const events = await home.ok('event');
      expect(events).toContain('Provider takes the instance back (terminate at ');
      await until(() => control.history().includes(`-${first?.id}`));
    } finally {
      metadata.close();
    }
  });

  it('takes a spot instance back: the run is interrupted, and counts that when it is tried again', async () => {
    const { home, control } = await started('watch: true');
    await applyCloudFleet(home, ['nodes: 0..1', 'spot_policy: spot']);
    const commands = [
      'echo "resume $DSTACK_RUN_RESUME_COUNT"',
      'if [ "$DSTACK_RUN_RESUME_COUNT" = 0 ]; then sleep 1000; fi',
    ];
    const spot = 'spot_policy: spot\n';
    await submit(home, 'once', commands, spot);
    await interrupt('once');
    const ended = await untilRun(home, 'once', isFinished);
    expect(reasons(ended)).toEqual(['interrupted_by_no_capacity']);
    expect(ended.latest_job_submission.status_message).toBe('interrupted');
    const retry = 'retry:\n  on_events: [interruption]\n  duration: 1h\n';
    await submit(home, 'again', commands, spot + retry);
    await interrupt('again');
    const done = await untilRun(home, 'again', isFinished);
    expect(reasons(done)).toEqual(['interrupted_by_no_capacity', 'done_by_runner']);
    expect(await home.ok('logs', 'again')).toContain('resume 1');
    expect(control.history().filter((line) => line.startsWith('+'))).toHaveLength(3);

    async function interrupt(name: string): Promise<void> {
      await untilRun(home, name, isRunning);
      const since = performance.now();
      control.interrupt(control.machines()[0]?.id ?? '', 'The price is above the limit');
      await untilRun(home, name, (run) => reasons(run)?.[0] != null);
      console.log(`${name}: interrupted within ${Math.round(performance.now() - since)} ms`);
    }
  });
});

/** The state of the world at the moment of a crash, and how that moment is brought about. */
interface CrashPoint {
  readonly moment: string;
  /** Set before the run is submitted. */
  readonly before?: Parameters<SimCloud['control']['set']>[0];
  /** Set when the job runs; its end follows, and with it the release of the machine. */
  readonly running?: Parameters<SimCloud['control']['set']>[0];
  readonly reached: () => boolean | Promise<boolean>;
}

/** The history follows the machine: a server that is killed in between leaves none. */
const isMade = () => cloud.control.history().length === 1;

const agentsIn = ({ home, control }: SimCloud) =>
  control.machines().some(({ id }) => existsSync(join(home.home, 'cloud', 'agents', id, 'token')));

const CREATION: readonly CrashPoint[] = [
  {
    moment: 'before the order is carried out',
    before: { hold: 'request' },
    reached: async () => (await statusOf(cloud.home)) === 'pending',
  },
  {
    moment: 'after it was carried out, before its answer',
    before: { hold: 'answer' },
    reached: isMade,
  },
  {
    moment: 'while the answer of the order is lost again and again',
    before: { lost_response: 1 },
    reached: isMade,
  },
  {
    moment: 'while the machine boots',
    before: { hold: 'boot' },
    reached: async () => (await statusOf(cloud.home)) === 'provisioning',
  },
  { moment: 'while the agent connects', reached: () => agentsIn(cloud) },
];

const RELEASE: readonly CrashPoint[] = [
  {
    moment: 'while the job runs',
    running: {},
    reached: async () => (await statusOf(cloud.home)) === 'busy',
  },
  {
    moment: 'before the release is carried out',
    running: { hold: 'request' },
    reached: async () => (await statusOf(cloud.home)) === 'terminating',
  },
  {
    moment: 'while the release is only accepted',
    running: { slow_release: 1, hold: 'answer' },
    reached: () => cloud.control.releasing().length === 1,
  },
  {
    moment: 'after it was carried out, before its answer',
    running: { hold: 'answer' },
    reached: () => cloud.control.machines().length === 0,
  },
];

interface Row {
  readonly step: string;
  readonly 'server killed': string;
  readonly run: string;
  readonly 'machines made': number;
  readonly 'left over': number;
}

describe('a server that is killed', () => {
  const table: Row[] = [];
  afterEach(() => {
    if (table.length === CREATION.length * 2 + RELEASE.length) console.table(table);
  });

  it.each(CREATION)('finds the machine of a run again: $moment', async (point) => {
    const { home, control } = await started();
    await applyCloudFleet(home, ['nodes: 0..1', 'idle_duration: 0s']);
    control.set(point.before ?? {});
    const job = waitsFor(home, 'crashed');
    await submit(home, 'crashed', job.commands);
    await crash(point);
    job.end();
    await finished('creation for a run', point);
  });

  it.each(CREATION)('finds the machine of a fleet again: $moment', async (point) => {
    const { home, control } = await started();
    control.set(point.before ?? {});
    await applyCloudFleet(home, ['nodes: 1']);
    await crash(point);
    await until(async () => (await statusOf(home)) === 'idle');
    expect(control.machines()).toHaveLength(1);
    await home.ok('fleet', 'delete', 'pool', '-y');
    await released('creation for a fleet', point, '–');
  });

  it.each(RELEASE)('ends the machine of a run once: $moment', async (point) => {
    const { home, control } = await started();
    await applyCloudFleet(home, ['nodes: 0..1', 'idle_duration: 0s']);
    const job = waitsFor(home, 'crashed');
    await submit(home, 'crashed', job.commands);
    await untilRun(home, 'crashed', isRunning);
    control.set(point.running ?? {});
    if (point.running && Object.keys(point.running).length > 0) job.end();
    await crash(point);
    job.end();
    await finished('release', point);
  });

  async function crash({ reached }: CrashPoint): Promise<void> {
    await until(reached);
    await cloud.home.stopServer('SIGKILL');
    cloud.control.set({});
    await cloud.home.startServer();
  }

  async function finished(step: string, point: CrashPoint): Promise<void> {
    await untilRun(cloud.home, 'crashed', isFinished);
    const run = await showRun(cloud.home, 'crashed');
    await released(step, point, run.status);
    expect(run.status).toBe('done');
  }

  /**
   * One machine was created, and nothing of it is left, neither at the cloud nor on the server
   * host.
   */
  async function released(step: string, point: CrashPoint, run: string): Promise<void> {
    const { control } = cloud;
    await until(() => control.machines().length === 0);
    await until(() => processesOfInstance(cloud).length === 0);
    const history = control.history();
    const made = history.filter((line) => line.startsWith('+')).length;
    table.push({
      ...{ step, 'server killed': point.moment, run },
      ...{ 'machines made': made, 'left over': leftOver(history).length },
    });
    expect(leftOver(history)).toEqual([]);
    expect(made).toBe(1);
  }
});
