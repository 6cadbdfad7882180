/** Pods that wait: for their queue, for room, and for an autoscaler. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { isFinished, untilRun } from '../installation.ts';
import { message, podOf, type SeenPod, task, type World } from './world.ts';

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
    const container = { name: 'fill', image: 'busybox:1', command: ['sleep', '1000'] };
    const resources = { requests: { cpu: '90' } };
    const spec = { terminationGracePeriodSeconds: 0, containers: [{ ...container, resources }] };
    const filled = ['run', 'stranger', '--image=busybox:1', '--restart=Never'];
    await cluster.kubectl(...filled, `--overrides=${JSON.stringify({ spec })}`);
    await cluster.kubectl('wait', 'pod/stranger', '--for=condition=Ready', '--timeout=60s');
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
