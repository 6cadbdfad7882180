/** Derives the state of an instance from its pod and the pod's events. */
import type { Observation } from '../base/instance-port.ts';
import type { ContainerStatus, KubeEvent, Pod } from './api/objects.ts';
import { needsAddress } from './labels.ts';
import { AGENT_CONTAINER, JOB_CONTAINER } from './pod-spec.ts';

type NotReady = Exclude<Observation, { readonly state: 'ready' }>;

/** `started`: the container of the job runs, so that the agent can be reached soon. */
export type PodState =
  | { readonly state: 'started'; readonly node: string; readonly ip: string | null }
  | NotReady;

export interface StateOptions {
  readonly pod: Pod;
  readonly events: readonly KubeEvent[];
  /** Milliseconds since the epoch by the clock of the cluster, which has set the times of its objects. */
  readonly now: number;
  /** How long a pod may wait for a node, in milliseconds, and with an autoscaler at work. */
  readonly scheduleMs: number;
  readonly scaleUpMs: number;
  /** How long it may wait for an object that it needs and that does not exist, as a Secret. */
  readonly configMs: number;
}

const CONFIG_ERROR = 'CreateContainerConfigError';
/** Reasons of a waiting container that do not pass by themselves. */
const FINAL_WAITS: Readonly<Record<string, string>> = {
  ErrImageNeverPull: 'the image is not on the node, and must not be pulled',
  InvalidImageName: 'the name of the image is invalid',
  [CONFIG_ERROR]: 'the container cannot be configured',
  CreateContainerError: 'the container cannot be created',
  RunContainerError: 'the container cannot be started',
};
const DEFAULT_SCHEDULER = 'default-scheduler';
const UNBOUND = /unbound immediate PersistentVolumeClaims/;
/** A new claim waits until a storage system has made its volume, or the cluster looks for one again. */
const BIND_MS = 120_000;
/** The text by which the scheduler reports a missing claim. */
const MISSING_CLAIM = /persistentvolumeclaim "([^"]{1,253})" (not found|is being deleted)/;
/** The scheduler may see a new claim a little later than its pod. */
const CLAIM_MS = 5000;
const PULL_ERRORS = ['ErrImagePull', 'ImagePullBackOff'];
/** Answers of registries that a repetition does not change. */
const FINAL_PULL =
  /not found|does not exist|unauthorized|denied|forbidden|no such host|manifest unknown|invalid reference|no match for platform/i;
/** The kubelet tries a pull again after 10, 20, 40 seconds. */
const PULL_ATTEMPTS_MS = 120_000;

export function podState(options: StateOptions): PodState {
  const { pod } = options;
  const { status = {}, metadata, spec } = pod;
  const disruption = disruptionOf(pod, options.events);
  if (metadata.deletionTimestamp !== undefined) {
    const text = disruption ?? `pod ${metadata.name} was deleted in the cluster`;
    return { state: 'interrupted', reason: 'spot', text };
  }
  if (status.phase === 'Failed' || status.phase === 'Succeeded') return ended(options, disruption);
  if (status.phase === 'Unknown') {
    const text = `node ${spec?.nodeName ?? ''} does not answer`;
    return { state: 'interrupted', reason: 'spot', text };
  }
  if (!spec?.nodeName) return unscheduled(options);
  if (statusOf(pod, JOB_CONTAINER)?.state?.terminated) return ended(options, disruption);
  // The status of a pod follows the start of its container by up to a second; the event does not.
  const isReachable = isStarted(pod) || (options.events.some(isJobStart) && !needsAddress(pod));
  if (isReachable) return { state: 'started', node: spec.nodeName, ip: status.podIP ?? null };
  return starting(options, spec.nodeName);
}

export function isStarted(pod: Pod): boolean {
  return statusOf(pod, JOB_CONTAINER)?.state?.running !== undefined;
}

/** Milliseconds since the epoch, by the clock of the node; null = it has not started, or nothing shows when. */
export function startOf(pod: Pod): number | null {
  return Date.parse(statusOf(pod, JOB_CONTAINER)?.state?.running?.startedAt ?? '') || null;
}

export function isJobStart({ reason, involvedObject }: KubeEvent): boolean {
  return reason === 'Started' && involvedObject?.fieldPath === `spec.containers{${JOB_CONTAINER}}`;
}

/** Why the cluster ends the pod; null = it does not. */
function disruptionOf(
  { metadata, status, spec }: Pod,
  events: readonly KubeEvent[],
): string | null {
  const node = spec?.nodeName ? ` (node ${spec.nodeName})` : '';
  const about = (text: string, more: string | undefined) =>
    more?.trim() ? `${text}: ${more.trim().replace(/\.$/, '')}` : text;
  const target = status?.conditions?.find(
    (one) => one.type === 'DisruptionTarget' && one.status === 'True',
  );
  // The kubelet names the resource that its node is short of.
  if (status?.reason === 'Evicted')
    return about(`pod ${metadata.name} was evicted${node}`, status.message ?? target?.message);
  const kueue = status?.conditions?.find(
    (one) => one.type === 'TerminationTarget' && one.status === 'True',
  );
  if (kueue) return about(`Kueue took pod ${metadata.name} out of its queue${node}`, kueue.message);
  if (target) {
    const known = DISRUPTIONS[target.reason ?? ''] ?? `the cluster ends pod ${metadata.name}`;
    return about(`${known}${node}`, target.message);
  }
  if (status?.reason === 'NodeLost') return about(`its node was lost${node}`, status.message);
  if (status?.reason === 'Preempting')
    return about(`${DISRUPTIONS.PreemptionByScheduler}${node}`, status.message);
  const event = events.find(({ reason }) => reason === 'Preempted' || reason === 'Evicted');
  return event
    ? about(`pod ${metadata.name} was ${event.reason?.toLowerCase()}${node}`, event.message)
    : null;
}

const DISRUPTIONS: Readonly<Record<string, string>> = {
  PreemptionByScheduler: 'a pod of higher priority took its place',
  DeletionByTaintManager: 'it does not tolerate a new taint of its node, which may not answer',
  EvictionByEvictionAPI: 'it was evicted, as before the maintenance of a node',
  TerminationByKubelet: 'the kubelet ended it to protect the node',
  DeletionByPodGC: 'its node no longer exists',
};

/** An agent ends only with its pod, so the end of its container is never a success. */
function ended({ pod, events }: StateOptions, disruption: string | null): NotReady {
  const excess = excessOf(pod, events);
  if (excess !== null) return failed(excess);
  if (disruption !== null) return { state: 'interrupted', reason: 'spot', text: disruption };
  const { name } = pod.metadata;
  const init = statusOf(pod, AGENT_CONTAINER)?.state?.terminated;
  if (init && init.exitCode !== 0) {
    const why = init.message ?? init.reason ?? `exit code ${init.exitCode}`;
    return failed(`the agent was not copied into pod ${name}: ${why}`);
  }
  const end = statusOf(pod, JOB_CONTAINER)?.state?.terminated;
  if (end?.reason === 'OOMKilled') {
    const text = `Out of memory: the container exceeded its memory limit (OOMKilled) in pod ${name}`;
    return { state: 'interrupted', reason: 'memory', text };
  }
  if (end && lacksShell(end.message ?? '')) {
    return failed(`${end.message}: an image without /bin/sh needs DSTACK_KUBERNETES_AGENT_IMAGE`);
  }
  const why = end?.message || end?.reason || pod.status?.message || pod.status?.reason;
  return failed(`pod ${name} has ended${why ? `: ${why}` : ''}`);
}

/**
 * The kubelet evicts a pod that writes more than it may, whatever its node has left. Another pod would
 * write as much, so the job has failed. Its container may have ended before the status has the reason.
 */
function excessOf({ metadata, status }: Pod, events: readonly KubeEvent[]): string | null {
  const messages = [
    status?.reason === 'Evicted' ? status.message : null,
    status?.conditions?.find(({ reason }) => reason === 'TerminationByKubelet')?.message,
    events.find(({ reason }) => reason === 'Evicted')?.message,
  ];
  const found = messages.find((one) => OWN_LIMIT.test(one ?? ''));
  if (!found) return null;
  const message = found.trim().replace(/\.$/, '');
  return `pod ${metadata.name} exceeded its disk limit: ${message}. Raise the upper bound of resources.disk, or leave it out`;
}

const OWN_LIMIT =
  /ephemeral local storage usage exceeds|exceeded its local ephemeral storage limit/;

/** The runtimes name the program and the missing file in different orders. */
function lacksShell(message: string): boolean {
  return /no such file/i.test(message) && message.includes('/bin/sh');
}

function unscheduled(options: StateOptions): NotReady {
  const { pod, events, now, scheduleMs, scaleUpMs, configMs } = options;
  const { metadata, spec, status } = pod;
  const gated = status?.conditions?.find(({ reason }) => reason === 'SchedulingGated');
  if (gated) {
    return {
      state: 'pending',
      text: 'waits in its queue (admission to the cluster)',
      queued: true,
    };
  }
  const condition = status?.conditions?.find(
    (one) => one.type === 'PodScheduled' && one.status === 'False',
  );
  const scheduler = spec?.schedulerName ?? DEFAULT_SCHEDULER;
  if (!condition) {
    // It may not exist in the cluster.
    const named = scheduler === DEFAULT_SCHEDULER ? 'the scheduler' : `scheduler ${scheduler}`;
    return pending(`waits for ${named}`);
  }
  const found = `${condition.reason ?? 'Unschedulable'}: ${condition.message ?? ''}`;
  const isUnbound = UNBOUND.test(found);
  const why = isUnbound ? unboundText(found, pod) : found;
  const scaling = scalingOf(events);
  const age = now - Date.parse(metadata.creationTimestamp ?? '');
  const [, claim, problem] = MISSING_CLAIM.exec(why) ?? [];
  if (claim !== undefined) {
    if (age <= Math.max(configMs, CLAIM_MS)) return pending(`waits for claim ${claim}: ${why}`);
    const is = problem === 'not found' ? 'does not exist in the cluster' : problem;
    return failed(
      `Persistent volume claim ${claim} ${is}. If it was of a volume, a user has deleted it there: delete the volume and create it again, or create a claim of that name`,
    );
  }
  const limit = isUnbound ? Math.max(scheduleMs, BIND_MS) : scheduleMs;
  if (age <= (scaling ? scaleUpMs : limit)) {
    if (scaling) return pending(`waits for a new node: ${scaling.message ?? why}`);
    return pending(`waits for ${isUnbound ? 'a volume' : 'a node'}: ${why}`);
  }
  const text = `Pod ${metadata.name} was not scheduled: ${why}`;
  return isUnbound ? failed(text) : { state: 'interrupted', reason: 'no-room', text };
}

/** Why a claim is not bound is in its own events, which the server does not follow. */
function unboundText(why: string, { spec }: Pod): string {
  const claims = (spec?.volumes ?? []).flatMap(
    ({ persistentVolumeClaim: claim }) => claim?.claimName ?? [],
  );
  return claims.length === 0 ? why : `${why} (see kubectl describe pvc ${claims.join(' ')})`;
}

/** Null: no autoscaler adds a node for the pod now; it may have refused to, and changed its mind. */
function scalingOf(events: readonly KubeEvent[]): KubeEvent | null {
  const answers = events.filter(({ reason }) => /^(Not)?Trigger(ed)?ScaleUp$/.test(reason ?? ''));
  const last = answers.sort((a, b) => timeOf(a) - timeOf(b)).at(-1);
  return last?.reason === 'TriggeredScaleUp' ? last : null;
}

function starting({ pod, events, now, configMs }: StateOptions, node: string): NotReady {
  const { name } = pod.metadata;
  const age = now - Date.parse(pod.metadata.creationTimestamp ?? '');
  for (const container of [AGENT_CONTAINER, JOB_CONTAINER]) {
    const waiting = statusOf(pod, container)?.state?.waiting;
    const { reason = '', message = '' } = waiting ?? {};
    const what = container === AGENT_CONTAINER ? 'image of the agent' : 'image';
    if (PULL_ERRORS.includes(reason)) {
      const detail = events.find(
        (event) => event.reason === 'Failed' && /pull/i.test(event.message ?? ''),
      );
      const why = detail?.message ?? message;
      if (FINAL_PULL.test(why) || age > PULL_ATTEMPTS_MS) {
        return failed(`the ${what} could not be pulled on node ${node}: ${why}`);
      }
      return pending(`pulling the ${what} failed and is tried again: ${why}`);
    }
    const final = FINAL_WAITS[reason];
    if (final) {
      const text = `${final} (${reason}) in pod ${name}: ${message}`;
      return reason === CONFIG_ERROR && age <= configMs ? pending(text) : failed(text);
    }
  }
  const init = statusOf(pod, AGENT_CONTAINER)?.state;
  if (init?.running) return pending(`copying the agent on node ${node}`);
  const last = [...events].sort((a, b) => timeOf(b) - timeOf(a))[0];
  if (last?.reason === 'Pulling') return pending(`${lowered(last.message)} on node ${node}`);
  const isBlocked = last?.type === 'Warning';
  if (isBlocked)
    return pending(`${last.reason ?? 'warning'} on node ${node}: ${last.message ?? ''}`);
  return pending(`starting on node ${node}`);
}

function statusOf({ status }: Pod, name: string): ContainerStatus | undefined {
  const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return all.find((one) => one.name === name);
}

function timeOf({ lastTimestamp, eventTime, metadata }: KubeEvent): number {
  return Date.parse(lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '') || 0;
}

function lowered(text = ''): string {
  return `${text.slice(0, 1).toLowerCase()}${text.slice(1)}`;
}

const pending = (text: string): NotReady => ({ state: 'pending', text });
const failed = (text: string): NotReady => ({ state: 'interrupted', reason: 'failed', text });
