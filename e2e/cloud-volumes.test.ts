/** Volumes of a simulated cloud: block devices that its machines, real agents, mount into jobs. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { allIdle, untilInstances } from './hosts.ts';
import { isFinished, isRunning, showRun, submit, untilRun } from './installation.ts';
import { applyCloudFleet, newSimCloud, type SimCloud, waitsFor } from './sim-cloud.ts';
import { until } from './until.ts';
import { applyVolume, findVolume, isDeleted, runWith, untilVolume } from './volumes.ts';

const canAttach = process.getuid?.() === 0 && loopDevices() !== null;
if (!canAttach) console.warn('Volumes of clouds are NOT tested: they need root and loop devices');

const REGION = 'us-east-1';
const MOUNT = "'data:/mnt'";

let cloud: SimCloud;
afterEach(async () => {
  await cloud.home.dispose();
  // Those of a test that failed; a kernel has few of them.
  for (const device of ourLoopDevices()) execFileSync('losetup', ['--detach', device]);
});

function loopDevices(): string | null {
  try {
    const columns = ['--noheadings', '--output', 'NAME,BACK-FILE'];
    return execFileSync('losetup', ['--list', ...columns], { encoding: 'utf8' });
  } catch {
    return null;
  }
}

const disks = () => {
  const dir = join(cloud.home.home, 'cloud', 'disks');
  return existsSync(dir) ? readdirSync(dir) : [];
};
const ourLoopDevices = () =>
  (loopDevices() ?? '')
    .split('\n')
    .filter((line) => line.includes(cloud.home.home))
    .map((line) => line.split(' ')[0] ?? '');

async function started(nodes: string, knobs: readonly string[] = []): Promise<SimCloud> {
  cloud = newSimCloud(knobs);
  await cloud.home.startServer();
  await applyCloudFleet(cloud.home, [`nodes: ${nodes}`, 'idle_duration: 0s']);
  return cloud;
}

const makeVolume = () => applyVolume(cloud.home, 'data', REGION, 'size: 1GB\n', 'aws');

/** Checks that everything was released: at the cloud and on the server host. */
async function deleted(): Promise<void> {
  const { home, control } = cloud;
  await home.ok('volume', 'delete', 'data', '-y');
  await untilVolume(home, 'data', isDeleted);
  await home.ok('fleet', 'delete', 'pool', '-y');
  await until(() => control.machines().length === 0);
  expect(control.volumes()).toEqual([]);
  expect(control.attachments()).toEqual([]);
  expect(disks()).toEqual([]);
  expect(ourLoopDevices()).toEqual([]);
}

describe.skipIf(!canAttach)('a volume of a cloud', () => {
  it('goes with its data from the machine of one run to that of the next', async () => {
    const { home, control } = await started('0..2', ['attach_seconds: [0, 1]']);
    expect(await makeVolume()).toMatch(/data +aws \(us-east-1\) +active/);
    const first = await runWith(home, 'writer', MOUNT, ['echo kept > /mnt/file', 'df -T /mnt']);
    expect(first.run.status).toBe('done');
    expect(first.logs).toContain('ext4');
    await until(() => control.machines().length === 0);
    const second = await runWith(home, 'reader', MOUNT, ['cat /mnt/file']);
    expect(second.logs).toContain('kept');
    expect(control.history().filter((line) => line.startsWith('+'))).toHaveLength(2);
    await deleted();
  });

  it('is placed where the volume is, and waits for a run that uses it', async () => {
    const { home, control } = await started('0..2');
    await makeVolume();
    const first = waitsFor(home, 'first');
    await submit(home, 'first', first.commands, `volumes: [${MOUNT}]\n`);
    await untilRun(home, 'first', isRunning);
    expect(control.machines()[0]?.offer.region).toBe(REGION);
    await submit(home, 'second', ['echo mine > /mnt/second'], `volumes: [${MOUNT}]\nretry: true\n`);
    expect(await home.ok('explain', 'run', 'second')).toMatch(/volume|data/i);
    const refused = await home.dstack(['volume', 'delete', 'data', '-y']);
    expect(refused.stdout + refused.stderr).toContain('Volume is in use by run');
    first.end();
    expect((await untilRun(home, 'second', isFinished)).status).toBe('done');
    await deleted();
  });
});

interface CrashPoint {
  readonly moment: string;
  readonly knobs: Parameters<SimCloud['control']['set']>[0];
  readonly reached: () => boolean | Promise<boolean>;
}

const hasVolume = () => cloud.control.volumes().length === 1;
const isAttached = () => cloud.control.attachments().length === 1;
const isDetached = () => cloud.control.attachments().length === 0;
const isStatus = (wanted: string) => async () =>
  (await showRun(cloud.home, 'crashed')).status === wanted;

type Reached = CrashPoint['reached'];

/** The moments of one request to the cloud, whatever it asks for. */
const ofRequest = (asked: Reached, done: Reached): readonly CrashPoint[] => [
  { moment: 'before the request is carried out', knobs: { hold: 'request' }, reached: asked },
  {
    moment: 'after it was carried out, before its answer',
    knobs: { hold: 'answer' },
    reached: done,
  },
  {
    moment: 'while its answer is lost again and again',
    knobs: { lost_response: 1 },
    reached: done,
  },
];

const isListed = async () => (await findVolume(cloud.home, 'data')) !== null;

const CREATION: readonly CrashPoint[] = [
  ...ofRequest(isListed, hasVolume),
  { moment: 'while it is being made', knobs: { boot_seconds: [2, 2] }, reached: hasVolume },
];

const ATTACHMENT: readonly CrashPoint[] = [
  ...ofRequest(isStatus('provisioning'), isAttached),
  { moment: 'while the cloud attaches it', knobs: { attach_seconds: [2, 2] }, reached: isAttached },
  { moment: 'while the job runs', knobs: {}, reached: isStatus('running') },
];

const DETACHMENT: readonly CrashPoint[] = [
  ...ofRequest(isStatus('terminating'), isDetached),
  {
    moment: 'while the cloud detaches it',
    knobs: { attach_seconds: [2, 2] },
    reached: isStatus('terminating'),
  },
];

describe.skipIf(!canAttach)('a server that is killed', () => {
  it.each(CREATION)('finds a volume again: $moment', async ({ knobs, reached }) => {
    const { home, control } = await started('0..1');
    control.set(knobs);
    const configuration = { type: 'volume', name: 'data', backend: 'aws', region: REGION, size: 1 };
    await home.api('/api/project/main/volumes/create', { configuration });
    await crash(reached);
    await untilVolume(home, 'data', (volume) => volume?.status === 'active');
    expect(control.volumes()).toHaveLength(1);
    await deleted();
  });

  it.each(ATTACHMENT)('attaches a volume once: $moment', async ({ knobs, reached }) => {
    const { home, control } = await started('1');
    await makeVolume();
    // A run without `retry` fails where no instance is ready yet.
    await untilInstances(home, 'pool', allIdle);
    control.set(knobs);
    const job = await submitted(home);
    await crash(reached);
    job.end();
    await finished();
  });

  it.each(DETACHMENT)(
    'detaches a volume with all its data: $moment',
    async ({ knobs, reached }) => {
      const { home, control } = await started('1');
      await makeVolume();
      await untilInstances(home, 'pool', allIdle);
      const job = await submitted(home);
      await untilRun(home, 'crashed', isRunning);
      control.set(knobs);
      job.end();
      await crash(reached);
      await finished();
    },
  );

  async function submitted(home: SimCloud['home']) {
    const job = waitsFor(home, 'crashed');
    const commands = [...job.commands, 'echo kept >> /mnt/file'];
    await submit(home, 'crashed', commands, `volumes: [${MOUNT}]\n`);
    return job;
  }

  async function crash(reached: CrashPoint['reached']): Promise<void> {
    await until(reached);
    await cloud.home.stopServer('SIGKILL');
    cloud.control.set({});
    await cloud.home.startServer();
  }

  /** The run has written once, to the one volume, and the next run finds the data. */
  async function finished(): Promise<void> {
    const { home, control } = cloud;
    expect((await untilRun(home, 'crashed', isFinished)).status).toBe('done');
    const next = await runWith(home, 'reader', MOUNT, ['cat /mnt/file']);
    expect(next.logs).toBe('kept\n');
    expect(control.volumes()).toHaveLength(1);
    await deleted();
  }
});
