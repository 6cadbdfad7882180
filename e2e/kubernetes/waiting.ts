/** Pods that wait: for their queue, for room, and for an autoscaler. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { isFinished, untilRun } from '../installation.ts';
import { waitFor } from '../until.ts';
import {
  gang,
  message,
  podOf,
  podsOf,
  type SeenPod,
  task,
  untilRunning,
  type World,
} from './world.ts';

const QUEUE = 'kueue.x-k8s.io/queue-name';
const GATE = { name: 'kueue.x-k8s.io/admission' };

interface SentPod {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
  readonly spec: object;
}

export function waitingCases(world: () => World): void {
  it('wait in the queue that they name until it admits them', async () => {
    const { cluster, home, proxy } = world();
    // The part of Kueue's admission webhook.
    proxy.admit = (pod) => {
      const { metadata, spec } = pod as SentPod;
      const isQueued = metadata.labels?.[QUEUE] === 'research';
      return isQueued ? { ...pod, spec: { ...spec, schedulingGates: [GATE] } } : pod;
    };
    const settings = 'backend_settings: {kubernetes: {queue: research}}\n';
    await task(home, 'queued', ['echo admitted'], settings);
    const pod = await podOf(cluster, 'queued');
    await explained(world(), 'queued', 'waits in its queue');
    proxy.admit = null;
    const open = JSON.stringify([{ op: 'remove', path: '/spec/schedulingGates' }]);
    await cluster.kubectl('patch', 'pod', pod.metadata.name, '--type=json', '-p', open);
    expect((await untilRun(home, 'queued', isFinished)).status).toBe('done');
  });

  it('wait while pods of others fill the cluster, and run by themselves once there is room', async () => {
    const { cluster, home } = world();
    await stranger(world(), 'stranger', 90);
    const large = 'resources: {cpu: 80.., memory: 0.2GB.., disk: 1GB..}\n';
    await task(
      home,
      'patient',
      ['true'],
      `${large}retry: {on_events: [no-capacity], duration: 1h}\n`,
    );
    await explained(world(), 'patient', 'cannot be placed');
    await cluster.kubectl('delete', 'pod', 'stranger');
    expect((await untilRun(home, 'patient', isFinished)).status).toBe('done');
  });

  it('are the ranks of one task on a node each, or none of them runs', async () => {
    const { cluster, home } = world();
    // Leaves one place for a rank on each of the first two nodes, and none on the third.
    await stranger(world(), 'wide', 80, 2);
    await stranger(world(), 'narrow', 8, 3);
    const ranks = async (name: string, more = '') =>
      await gang(
        home,
        name,
        3,
        ['echo "rank $DSTACK_NODE_RANK"; until [ -e /tmp/end ]; do sleep 0.2; done'],
        `resources: {cpu: 10.., memory: 0.2GB.., disk: 1GB..}\n${more}`,
      );
    try {
      await ranks('cramped');
      const none = await untilRun(home, 'cramped', isFinished);
      expect(none.status).toBe('failed');
      expect(await home.ok('explain', 'cramped', '-v')).toContain('Insufficient cpu');
      for (const rank of ['0', '1', '2']) {
        expect(await home.ok('logs', 'cramped', '--job', rank)).not.toContain('rank');
      }
      await waitFor(
        () => podsOf(cluster, 'cramped'),
        (pods) => pods.length === 0,
        (pods) => `${pods.length} pods are left`,
      );
      await ranks('ranks', 'retry: {on_events: [no-capacity], duration: 1h}\n');
      await untilRun(home, 'ranks', ({ status }) => status === 'pending');
      await cluster.kubectl('delete', 'pod', 'narrow');
      await untilRunning(home, 'ranks');
      const pods = await podsOf(cluster, 'ranks');
      const nodes = pods.map(({ spec }) => spec.nodeName).sort();
      expect(nodes).toEqual([1, 2, 3].map((number) => cluster.node(number)));
      for (const { metadata } of pods) {
        await cluster.kubectl('exec', metadata.name, '--', 'touch', '/tmp/end');
      }
      const run = await untilRun(home, 'ranks', isFinished);
      expect([run.status, message(run)]).toEqual(['done', expect.anything()]);
      for (const rank of ['0', '1', '2']) {
        expect(await home.ok('logs', 'ranks', '--job', rank)).toContain(`rank ${rank}`);
      }
    } finally {
      await cluster.kubectl('delete', 'pod', 'wide', 'narrow', '--ignore-not-found');
    }
  });

  it('wait for the node that an autoscaler adds, and end if it adds none', async () => {
    const { cluster, home } = world();
    const wanted = (pool: string) =>
      `backend_settings: {kubernetes: {node_selector: {pool: ${pool}}}}\n`;
    await task(home, 'scaled', ['true'], wanted('added'));
    await task(home, 'refused', ['true'], wanted('never'));
    const [scaled, refused] = [await podOf(cluster, 'scaled'), await podOf(cluster, 'refused')];
    await report(
      world(),
      scaled,
      'TriggeredScaleUp',
      'pod triggered scale-up: added 0->1 (max: 4)',
    );
    await report(world(), refused, 'NotTriggerScaleUp', "pod didn't trigger scale-up: 1 max size");
    await explained(world(), 'scaled', 'waits for a new node: pod triggered scale-up: added 0->1');
    expect(message(await untilRun(home, 'refused', isFinished))).toMatch(
      /was not scheduled: Unschedulable: .*node affinity/,
    );
    // Longer than pods wait without an autoscaler: the other one has ended meanwhile.
    await cluster.kubectl('label', 'node', cluster.node(2), 'pool=added');
    expect((await untilRun(home, 'scaled', isFinished)).status).toBe('done');
    await cluster.kubectl('label', 'node', cluster.node(2), 'pool-');
  });
}

/** A pod of another user that takes so many CPUs of any node, or of one. */
async function stranger({ cluster }: World, name: string, cpus: number, node?: number) {
  const container = { name: 'fill', image: 'busybox:1', command: ['sleep', '1000'] };
  const resources = { requests: { cpu: String(cpus) } };
  const spec = {
    ...{ terminationGracePeriodSeconds: 0, containers: [{ ...container, resources }] },
    nodeSelector: node === undefined ? {} : { 'kubernetes.io/hostname': cluster.node(node) },
    tolerations: [{ operator: 'Exists' }],
  };
  const filled = ['run', name, '--image=busybox:1', '--restart=Never'];
  await cluster.kubectl(...filled, `--overrides=${JSON.stringify({ spec })}`);
  await cluster.kubectl('wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s');
}

async function explained({ home }: World, run: string, text: string): Promise<void> {
  const explain = async () => await home.ok('explain', run, '-v');
  await vi.waitFor(async () => expect(await explain()).toContain(text), { timeout: 30_000 });
}

/** An event as the cluster autoscaler writes it. */
async function report(
  { cluster, home }: World,
  { metadata }: SeenPod,
  reason: string,
  text: string,
): Promise<void> {
  const { name, namespace, uid } = metadata;
  const now = new Date().toISOString().replace(/\.\d+Z/, 'Z');
  const file = join(home.home, 'event.json');
  const event = {
    ...{ apiVersion: 'v1', kind: 'Event', type: 'Normal', reason, message: text },
    metadata: { name: `${name}.${reason.toLowerCase()}`, namespace },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', name, namespace, uid },
    ...{ firstTimestamp: now, lastTimestamp: now, count: 1 },
    source: { component: 'cluster-autoscaler' },
  };
  writeFileSync(file, JSON.stringify(event));
  await cluster.kubectl('create', '-f', file);
}
