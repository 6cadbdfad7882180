import { describe, expect, it } from 'vitest';
import type { KubeEvent, Pod } from './api/objects.ts';
import { podState } from './pod-state.ts';

const CREATED = '2026-11-24T10:00:00Z';
const at = (seconds: number) => Date.parse(CREATED) + seconds * 1000;

function pod(status: Pod['status'], more: Partial<Pod['metadata']> = {}, nodeName?: string): Pod {
  return {
    metadata: { name: 'train', creationTimestamp: CREATED, ...more },
    spec: nodeName === undefined ? {} : { nodeName },
    ...(status && { status }),
  };
}

function state(of: Pod, events: readonly Partial<KubeEvent>[] = [], seconds = 5) {
  const all = events.map((event) => ({ metadata: { name: 'e' }, ...event }));
  return podState({
    pod: of,
    events: all,
    now: at(seconds),
    scheduleMs: 10_000,
    scaleUpMs: 900_000,
    configMs: 0,
  });
}

const waiting = (reason: string, message = '') =>
  pod({ containerStatuses: [{ name: 'job', state: { waiting: { reason, message } } }] }, {}, 'n1');
const unschedulable = pod({
  conditions: [
    { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/2 nodes' },
  ],
});

describe('a pod', () => {
  it('that no node can take is pending for a short time, then there is no room for it', () => {
    expect(state(unschedulable)).toMatchObject({ state: 'pending' });
    expect(state(unschedulable, [], 11)).toEqual({
      ...{ state: 'interrupted', reason: 'no-room' },
      text: 'Pod train was not scheduled: Unschedulable: 0/2 nodes',
    });
  });

  it('waits longer for an autoscaler, unless that has refused', () => {
    const scaling = { reason: 'TriggeredScaleUp', message: 'pod triggered scale-up' };
    expect(state(unschedulable, [scaling], 60).state).toBe('pending');
    const refused = { reason: 'NotTriggerScaleUp', message: 'max size reached' };
    expect(state(unschedulable, [scaling, refused], 60).state).toBe('interrupted');
    expect(state(unschedulable, [refused, scaling], 60).state).toBe('pending');
  });

  it.each([
    ['not found', / claim dstack-main-data-1 does not exist in the cluster\. /],
    ['is being deleted', / claim dstack-main-data-1 is being deleted\. /],
  ])('fails soon, and names the claim, if a claim %s', (problem, expected) => {
    const message = `0/2 nodes are available: persistentvolumeclaim "dstack-main-data-1" ${problem}. not found`;
    const type = 'PodScheduled';
    const condition = { type, status: 'False', reason: 'Unschedulable', message };
    const lacking = pod({ phase: 'Pending', conditions: [condition] });
    expect(state(lacking, [], 2)).toMatchObject({ state: 'pending' });
    expect(state(lacking, [], 6)).toMatchObject({
      ...{ state: 'interrupted', reason: 'failed', text: expect.stringMatching(expected) },
    });
  });

  it('waits for the scheduler that the run names, which may not exist', () => {
    const pending = pod({ phase: 'Pending' });
    expect(state(pending)).toMatchObject({ text: 'waits for the scheduler' });
    const named = { ...pending, spec: { schedulerName: 'volcano' } };
    expect(state(named)).toMatchObject({ text: 'waits for scheduler volcano' });
  });

  it('waits longer for a claim that has no volume yet', () => {
    const message = '0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.';
    const type = 'PodScheduled';
    const condition = { type, status: 'False', reason: 'Unschedulable', message };
    const unbound = pod({ phase: 'Pending', conditions: [condition] });
    const volumes = [{}, { persistentVolumeClaim: { claimName: 'data-1' } }];
    const withClaim = { ...unbound, spec: { volumes } };
    const hint = 'PersistentVolumeClaims. (see kubectl describe pvc data-1)';
    expect(state(withClaim, [], 60)).toMatchObject({
      ...{ state: 'pending', text: expect.stringMatching(/^waits for a volume: /) },
    });
    expect(state(withClaim, [], 60)).toMatchObject({ text: expect.stringContaining(hint) });
    expect(state(withClaim, [], 200)).toMatchObject({
      ...{ state: 'interrupted', text: expect.stringContaining(hint) },
    });
  });

  it('whose image does not exist has failed at once, with the message of the registry', () => {
    const failed = { reason: 'Failed', message: 'Failed to pull image "x": not found' };
    expect(state(waiting('ErrImagePull'), [failed])).toMatchObject({
      ...{ state: 'interrupted', reason: 'failed' },
      text: expect.stringContaining('not found'),
    });
  });

  it('whose registry does not answer is pending while the pull is repeated', () => {
    expect(state(waiting('ImagePullBackOff', 'connection refused')).state).toBe('pending');
    expect(state(waiting('ImagePullBackOff', 'connection refused'), [], 200).state).toBe(
      'interrupted',
    );
  });

  it('that its queue holds back waits for as long as it takes', () => {
    const held = { type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' };
    expect(state(pod({ phase: 'Pending', conditions: [held] }), [], 100_000)).toEqual({
      ...{ state: 'pending', text: 'waits in its queue (admission to the cluster)', queued: true },
    });
  });

  it('reports a pull as the stage', () => {
    const pulling = { reason: 'Pulling', message: 'Pulling image "big"', lastTimestamp: CREATED };
    expect(state(waiting('ContainerCreating'), [pulling])).toEqual({
      state: 'pending',
      text: 'pulling image "big" on node n1',
    });
  });

  it.each([
    ['PreemptionByScheduler', 'a pod of higher priority took its place'],
    ['EvictionByEvictionAPI', 'it was evicted, as before the maintenance of a node (node n1)'],
    ['DeletionByTaintManager', 'it does not tolerate a new taint of its node'],
    ['TerminationByKubelet', 'the kubelet ended it to protect the node'],
  ])('that the cluster ends by %s is interrupted', (reason, text) => {
    const target = { type: 'DisruptionTarget', status: 'True', reason };
    const deleting = { deletionTimestamp: CREATED };
    const ending = pod({ phase: 'Running', conditions: [target] }, deleting, 'n1');
    expect(state(ending)).toMatchObject({
      ...{ state: 'interrupted', reason: 'spot' },
      text: expect.stringContaining(text),
    });
  });

  it('that its node evicts names the node and the resource that it is short of', () => {
    const message = 'The node was low on resource: memory.';
    expect(state(pod({ phase: 'Failed', reason: 'Evicted', message }, {}, 'n1'))).toEqual({
      ...{ state: 'interrupted', reason: 'spot' },
      text: `pod train was evicted (node n1): ${message.slice(0, -1)}`,
    });
  });

  it('that ends because its node is short of memory is interrupted, whatever is reported first', () => {
    const message =
      'The node was low on resource: memory. Threshold quantity: 50Mi, available: 3820Ki. Container job was using 512Mi, request is 256Mi, has larger consumption of memory. ';
    const lost = { state: 'interrupted', reason: 'spot', text: expect.stringContaining('memory') };
    const evicted = { phase: 'Failed', reason: 'Evicted', message } as const;
    const end = { name: 'job', state: { terminated: { exitCode: 137, reason: 'Error' } } };
    expect(state(pod(evicted, {}, 'n1'))).toMatchObject(lost);
    expect(state(pod({ ...evicted, containerStatuses: [end] }, {}, 'n1'))).toMatchObject(lost);
    // The event, or the condition, may come before the reason.
    const ended = { phase: 'Running', containerStatuses: [end] };
    expect(state(pod(ended, {}, 'n1'), [{ reason: 'Evicted', message }])).toMatchObject(lost);
    const type = 'DisruptionTarget';
    const target = { type, status: 'True', reason: 'TerminationByKubelet', message };
    expect(state(pod({ ...ended, conditions: [target] }, {}, 'n1'))).toMatchObject(lost);
  });

  it('that its node refuses, because it has become short of memory, names that', () => {
    const message = 'Pod was rejected: The node had condition: [MemoryPressure]. ';
    expect(state(pod({ phase: 'Failed', reason: 'Evicted', message }, {}, 'n1'))).toEqual({
      ...{ state: 'interrupted', reason: 'spot' },
      text: 'pod train was evicted (node n1): Pod was rejected: The node had condition: [MemoryPressure]',
    });
  });

  it('that Kueue ends names the cause, though the pod is then deleted', () => {
    const message = 'The ClusterQueue is stopped';
    const target = {
      type: 'TerminationTarget',
      status: 'True',
      reason: 'ClusterQueueStopped',
      message,
    };
    const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z' };
    expect(state(pod({ phase: 'Running', conditions: [target] }, deleted, 'n1'))).toEqual({
      ...{ state: 'interrupted', reason: 'spot' },
      text: `Kueue took pod train out of its queue (node n1): ${message}`,
    });
  });

  it('that has written more than it may has failed, because another one would, too', () => {
    const message =
      'Pod ephemeral local storage usage exceeds the total limit of containers 102Mi. ';
    const evicted = state(pod({ phase: 'Failed', reason: 'Evicted', message }, {}, 'n1'));
    expect(evicted).toEqual({
      ...{ state: 'interrupted', reason: 'failed' },
      text: 'pod train exceeded its disk limit: Pod ephemeral local storage usage exceeds the total limit of containers 102Mi. Raise the upper bound of resources.disk, or leave it out',
    });
    // The event, or the condition, may come before the reason.
    const over = { name: 'job', state: { terminated: { exitCode: 137 } } };
    const killed = { phase: 'Running', containerStatuses: [over] };
    const event = { reason: 'Evicted', message };
    expect(state(pod(killed, {}, 'n1'), [event])).toEqual(evicted);
    const condition = { type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet' };
    const conditions = [{ ...condition, message }];
    expect(state(pod({ ...killed, conditions }, {}, 'n1'))).toEqual(evicted);
  });

  it('has started as soon as an event reports it, unless others need its address', () => {
    const started = { reason: 'Started', involvedObject: { fieldPath: 'spec.containers{job}' } };
    expect(state(waiting('ContainerCreating'), [started])).toEqual({
      ...{ state: 'started', node: 'n1', ip: null },
    });
    const annotations = { 'k8s.dstack.ai/address': 'needed' };
    expect(state(pod({ phase: 'Pending' }, { annotations }, 'n1'), [started]).state).toBe(
      'pending',
    );
  });

  it('that exceeded its memory has failed with that reason', () => {
    const terminated = { exitCode: 137, reason: 'OOMKilled' };
    const killed = { name: 'job', state: { terminated } };
    expect(state(pod({ phase: 'Failed', containerStatuses: [killed] }, {}, 'n1'))).toMatchObject({
      ...{ state: 'interrupted', reason: 'memory' },
      text: expect.stringContaining('OOMKilled'),
    });
  });

  it('has started when the container of the job runs', () => {
    const running = { name: 'job', state: { running: { startedAt: CREATED } } };
    const up = pod({ podIP: '10.0.0.9', containerStatuses: [running] }, {}, 'n1');
    expect(state(up)).toEqual({ state: 'started', node: 'n1', ip: '10.0.0.9' });
  });
});
