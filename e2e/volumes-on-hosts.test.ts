import type { Installation } from '@dstack/testkit';
import { SHARED_PATH, startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  afterFailure,
  allIdle,
  applySshFleet,
  missingForHosts,
  onFleet,
  untilInstances,
} from './hosts.ts';
import {
  isFinished,
  isRunning,
  newInstallation,
  showRun,
  submit,
  untilRun,
} from './installation.ts';
import { applyVolume, findVolume, isDeleted, runWith, untilVolume } from './volumes.ts';

const missing = missingForHosts();

describe.skipIf(missing !== null)('a volume on the hosts of an SSH fleet', () => {
  let machines: TestHosts;
  let hosts: readonly [TestHost, TestHost];
  let home: Installation;
  beforeAll(async () => {
    machines = await startHosts({ count: 2 });
    hosts = machines.hosts as [TestHost, TestHost];
    await machines.busybox('busybox:test');
    home = newInstallation();
    await home.startServer();
    await applySshFleet(home, machines, 'gpus', hosts);
    await untilInstances(home, 'gpus', allIdle);
  });
  afterEach(({ task }) => afterFailure(task, home, machines.hosts));
  afterAll(async () => {
    await home?.dispose();
    machines?.close();
  });

  const placedOn = async (name: string) => {
    const { latest_job_submission: job } = (await showRun(home, name)) as unknown as {
      latest_job_submission: { job_provisioning_data: { hostname: string } };
    };
    return hosts.findIndex(({ address }) => address === job.job_provisioning_data.hostname);
  };
  const directories = async (host: TestHost, path = '/var/lib/dstack/volumes') =>
    (await host.exec(`ls ${path} 2>/dev/null || true`)).split('\n').filter(Boolean);

  it('is a directory of the host that is named, and brings its runs there', async () => {
    const shown = await applyVolume(home, 'data', 'gpus', 'availability_zone: gpus-1\n');
    expect(shown).toMatch(/data +remote \(gpus\) +active/);
    expect(await home.ok('volume', 'list', '-v')).toMatch(/data +remote +gpus \(gpus-1\)/);
    const volume = await findVolume(home, 'data');
    expect(await directories(hosts[1])).toEqual([volume?.volume_id]);
    expect(await directories(hosts[0])).toEqual([]);
    const commands = ['echo kept > /data/file', 'id -u'];
    const first = await runWith(home, 'writer', "'data:/data'", commands, onFleet('gpus'));
    expect(first.run.status).toBe('done');
    const reading = ['cat /data/file'];
    const second = await runWith(home, 'reader', "'data:/data'", reading, onFleet('gpus'));
    expect(second.logs).toContain('kept');
    expect([await placedOn('writer'), await placedOn('reader')]).toEqual([1, 1]);
  });

  it('keeps a run waiting for its host, with the reason', async () => {
    const mounting = `${onFleet('gpus')}volumes: ['data:/data']\n`;
    await submit(home, 'holder', ['sleep 1000'], mounting);
    await untilRun(home, 'holder', isRunning);
    await submit(home, 'waiting', ['cat /data/file'], `${mounting}retry: true\n`);
    const explained = await untilText(() => home.ok('explain', 'waiting'), 'volume data');
    expect(explained).toMatch(/volume data .*gpus-1/);
    expect(explained).toContain('holder');
    await home.ok('stop', 'holder', '-y', '-x');
    const run = await untilRun(home, 'waiting', isFinished);
    expect([run.status, await placedOn('waiting')]).toEqual(['done', 1]);
  });

  it('holds its host in the fleet until it is deleted', async () => {
    const removal = await home.dstack(['fleet', 'delete', 'gpus', '-i', '1', '-y']);
    expect(removal.stdout + removal.stderr).toContain('hold the data of volumes: data');
    await home.ok('volume', 'delete', 'data', '-y');
    await untilVolume(home, 'data', isDeleted);
    expect(await directories(hosts[1])).toEqual([]);
  });

  it('waits with its deletion for an unreachable host', async () => {
    await applyVolume(home, 'away', 'gpus', 'availability_zone: gpus-0\n');
    hosts[0].cut();
    try {
      await untilInstances(home, 'gpus', (all) => all.some(({ unreachable }) => unreachable));
      await home.ok('volume', 'delete', 'away', '-y');
      expect(await home.ok('explain', 'volume', 'away')).toContain('is being deleted');
      expect(await findVolume(home, 'away')).not.toBeNull();
    } finally {
      hosts[0].restore();
    }
    await untilVolume(home, 'away', isDeleted);
    expect(await directories(hosts[0])).toEqual([]);
  }, 180_000);

  it('is on every host that shares a file system', async () => {
    const more = `shared_volumes_path: ${SHARED_PATH}\n`;
    await applySshFleet(home, machines, 'gpus', hosts, 1, more);
    await applyVolume(home, 'shared', 'gpus');
    expect((await findVolume(home, 'shared'))?.provisioning_data?.availability_zone).toBeNull();
    const on = (num: number) => `${onFleet('gpus')}instances: [gpus-${num}]\n`;
    const writing = ['echo kept > /data/file'];
    await runWith(home, 'on-first', "'shared:/data'", writing, on(0));
    const reading = ['cat /data/file'];
    const { logs } = await runWith(home, 'on-second', "'shared:/data'", reading, on(1));
    expect(logs).toContain('kept');
    expect([await placedOn('on-first'), await placedOn('on-second')]).toEqual([0, 1]);
  });

  it('is not mounted on a host that has lost that file system', async () => {
    await hosts[1].exec(`umount ${SHARED_PATH}`);
    const more = `${onFleet('gpus')}instances: [gpus-1]\n`;
    const { run } = await runWith(home, 'without', "'shared:/data'", ['cat /data/file'], more);
    const { latest_job_submission: job } = run;
    expect(job.termination_reason).toBe('volume_error');
    expect(job.termination_reason_message).toContain(
      `its directory is not in ${SHARED_PATH} on the host`,
    );
    await home.ok('volume', 'delete', 'shared', '-y');
    await untilVolume(home, 'shared', isDeleted);
    expect(await directories(hosts[0], `${SHARED_PATH}/dstack-volumes`)).toEqual([]);
  });

  it('loses no data when its agent is removed', async () => {
    await hosts[0].exec(
      'mkdir -p /var/lib/dstack/volumes/left && echo x > /var/lib/dstack/volumes/left/file',
    );
    await home.ok('fleet', 'delete', 'gpus', '-y');
    const events = await home.ok('event');
    expect(await directories(hosts[0], '/var/lib/dstack'), events).toEqual(['volumes']);
    expect(await hosts[0].exec('cat /var/lib/dstack/volumes/left/file')).toBe('x\n');
    expect(await directories(hosts[1], '/var/lib/dstack')).toEqual([]);
  });
});

async function untilText(look: () => Promise<string>, text: string): Promise<string> {
  for (;;) {
    const found = await look();
    if (found.includes(text)) return found;
  }
}
