/** Ends without an order: by memory, by disk, by a killed agent, and a node that is cut off. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { countedTo, linesIn } from '../counting.ts';
import { configuration, isFinished, untilRun } from '../installation.ts';
import { until } from '../until.ts';
import { message, podOf, RESOURCES, task, untilPods, untilRunning, type World } from './world.ts';

/** Each of many processes is smaller than the agent, which the kernel therefore kills first. */
const FILL_MEMORY =
  'mkfifo /f; for i in $(seq 40); do dd if=/dev/zero of=/f bs=20M count=1 & done; sleep 1000 < /f';
const FILL_DISK = 'dd if=/dev/zero of=/full bs=1M count=300; sleep 1000';
const COUNT = 'i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo "line $i"; sleep 0.1; done';
const RETRY = 'retry: {on_events: [error, interruption], duration: 1h}\n';

export function violenceCases(world: () => World): void {
  it('end with the reason of memory, disk or agent when all of a container is killed', async () => {
    const { cluster, home } = world();
    const small = 'resources: {cpu: 1.., memory: 0.1GB..0.2GB, disk: 1GB..}\n';
    await task(home, 'killed', [FILL_MEMORY], small);
    const disk = 'resources: {cpu: 1.., memory: 0.2GB.., disk: 0.1GB..0.2GB}\n';
    await task(home, 'fat', [FILL_DISK], disk);
    const names = ['a1', 'a2', 'a3'];
    for (const name of names) await task(home, name, [COUNT, 'sleep 2'], RETRY);
    for (const name of names) await untilRunning(home, name);
    const agents = agentsOf(
      await Promise.all(names.map(async (name) => await podOf(cluster, name))),
    );
    expect(agents).toHaveLength(names.length);
    for (const pid of agents.slice(1)) {
      process.kill(pid, 'SIGKILL');
      await delay(Math.random() * 200);
    }
    const killed = await untilRun(home, 'killed', isFinished);
    expect(killed.latest_job_submission).toMatchObject({
      ...{ termination_reason: 'container_exited_with_error', exit_status: 137 },
      termination_reason_message: expect.stringContaining('OOMKilled'),
    });
    const fat = await untilRun(home, 'fat', isFinished);
    expect(message(fat)).toMatch(/exceeded its disk limit: .*ephemeral/);
    for (const name of names) {
      const run = await untilRun(home, name, isFinished);
      expect([name, run.status, message(run)]).toEqual([name, 'done', expect.anything()]);
      const lines = (await home.ok('logs', name)).split(/\r?\n/);
      const counted = lines.filter((line) => line.startsWith('line'));
      expect(counted).toEqual(Array.from({ length: 60 }, (_, at) => `line ${at + 1}`));
      const submissions = run.jobs[0]?.job_submissions ?? [];
      expect([name, submissions.length]).toEqual([name, name === 'a1' ? 1 : 2]);
    }
    await untilPods(cluster, (left) => left.length === 0);
  });

  it('end as deleted, or run again, when a user deletes their pods, and need nothing else', async () => {
    const { cluster, home } = world();
    const volume = `type: volume\nname: taken\nbackend: kubernetes\nregion: ${cluster.context}\nsize: 1GB\n`;
    await home.ok('apply', '-f', configuration(home, 'taken.dstack.yml', volume), '-y');
    const mounted = `volumes: [{name: taken, path: /data}]\n${RESOURCES}}\n`;
    await task(home, 'gone', ['sleep 600']);
    await task(home, 'again', [COUNT], RETRY);
    await task(home, 'bereft', [`${COUNT}; echo kept > /data/file && cat /data/file`], mounted);
    for (const name of ['gone', 'again', 'bereft']) await untilRunning(home, name);
    const pods = await Promise.all(['gone', 'again'].map((name) => podOf(cluster, name)));
    const { metadata } = await podOf(cluster, 'bereft');
    const wait = '--wait=false';
    await cluster.kubectl('delete', 'pod', ...pods.map((pod) => pod.metadata.name), wait);
    await cluster.kubectl('delete', 'secret', `${metadata.name}-agent`);
    await cluster.kubectl('delete', 'pvc', '-l', 'k8s.dstack.ai/name=taken', wait);
    const gone = await untilRun(home, 'gone', isFinished);
    expect(gone.latest_job_submission.termination_reason).toBe('interrupted_by_no_capacity');
    expect(message(gone)).toContain('was deleted in the cluster');
    for (const name of ['again', 'bereft']) {
      const run = await untilRun(home, name, isFinished);
      expect([name, run.status, message(run)]).toEqual([name, 'done', expect.anything()]);
      const lines = linesIn(await home.ok('logs', name));
      expect(lines).toEqual(countedTo(60));
    }
    // The cluster has kept the claim until no pod had it.
    // A list has the server look for it, so that no run gets so far as to miss it in its pod.
    await until(async () =>
      (await home.ok('volume', 'list', '-v')).includes('Its backend does not have it any more'),
    );
    await task(home, 'late', ['true'], mounted);
    expect(message(await untilRun(home, 'late', isFinished))).toContain(
      'Volume taken is unusable: its backend does not have it any more',
    );
    await home.ok('delete', '-f', 'taken.dstack.yml', '-y');
  });

  it('continue without a lost line on a node that was cut off until it was not ready', async () => {
    const { cluster, home } = world();
    const settings = `backend_settings: {kubernetes: {node_selector: {kubernetes.io/hostname: ${cluster.node(2)}}}}\n`;
    await task(home, 'cut', [COUNT], `${settings}${RESOURCES}}\n`);
    await untilRunning(home, 'cut');
    await cluster.setNodeLink(2, 'down');
    await cluster.kubectl(
      'wait',
      `node/${cluster.node(2)}`,
      '--for=condition=Ready=Unknown',
      '--timeout=120s',
    );
    expect(await home.ok('ps')).toMatch(/cut .*unreachable|cut .*running/);
    await cluster.setNodeLink(2, 'up');
    const run = await untilRun(home, 'cut', isFinished);
    expect([run.status, message(run)]).toEqual(['done', expect.anything()]);
    const lines = (await home.ok('logs', 'cut')).split(/\r?\n/);
    const counted = lines.filter((line) => line.startsWith('line'));
    expect(counted).toEqual(Array.from({ length: 60 }, (_, at) => `line ${at + 1}`));
    await cluster.kubectl(
      'wait',
      `node/${cluster.node(2)}`,
      '--for=condition=Ready',
      '--timeout=60s',
    );
  });
}

/** Processes of the agents of pods, in their order: this computer sees those of its clusters. */
function agentsOf(pods: readonly { readonly metadata: { readonly name: string } }[]): number[] {
  const running = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pods.flatMap(({ metadata: { name } }) =>
    running
      .filter((pid) => read(pid, 'cmdline').includes('--job-container'))
      .filter((pid) => read(pid, 'environ').includes(`HOSTNAME=${name}\0`))
      .map(Number),
  );
}

function read(pid: string, file: 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    // It has ended.
    return '';
  }
}
