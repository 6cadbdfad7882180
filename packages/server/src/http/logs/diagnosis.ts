/**
 * The actions of server and agent for a job, as a separate log: events of the job and its instance,
 * intents and their results, the agent's last report. It also exists for jobs that have printed
 * nothing, which is when users read it.
 */
import { plainLine } from '@dstack/contract';
import type { EventTargetKind, Id, InstanceRecord, IntentRecord, JobReport } from '@dstack/core';
import type { JobView, Store } from '@dstack/store';
import type { PageEvent } from '../../logs/log-page.ts';

/** Events of a job; far more than any has. */
const MAX_EVENTS = 1000;

/** Events of the instance for this long (µs) after the job's end may still concern the job. */
const AFTERMATH = 60_000_000;

/** Oldest first, with strictly rising times; each text is one line. */
export async function diagnosis(store: Store, { job, run }: JobView): Promise<PageEvent[]> {
  const snapshot = await store.engine.loadRun(run.id, { overQuota: new Map() });
  const instance = snapshot?.instances.find((one) => one.id === job.instanceId) ?? null;
  const until = job.finishedAt === null ? Infinity : job.finishedAt + AFTERMATH;
  const onInstance = instance ? await eventsOf(store, 'instance', instance.id) : [];
  const subjects = new Set([job.id, instance?.id]);
  const reports = await store.reports.byJobs([job.id]);
  const stored = (await store.reports.logEnds([job.id]))[0]?.stored ?? 0;
  return inOrder([
    ...(await eventsOf(store, 'job', job.id)),
    ...onInstance.filter(({ time }) => time >= job.submittedAt && time <= until),
    ...(snapshot?.intents ?? [])
      .filter((intent) => subjects.has(intent.subjectId) && intent.createdAt <= until)
      .flatMap(intentLines),
    ...(job.finishedAt === null && instance ? await hostLines(store, instance) : []),
    ...reports.map((report) => reportLine(report, stored)),
  ]);
}

async function eventsOf(store: Store, type: EventTargetKind, id: Id): Promise<PageEvent[]> {
  const events = await store.events.list({
    visibleTo: null,
    targets: { type, ids: [id] },
    page: { ascending: true, limit: MAX_EVENTS },
  });
  return events.map(({ message, recordedAt, targets }) => {
    const name = targets.find((target) => target.id === id)?.name ?? id;
    return { time: recordedAt, text: `server: ${type} ${name}: ${message}` };
  });
}

const DEEDS: Readonly<Record<IntentRecord['kind'], string>> = {
  'job.start': 'give the job to the agent',
  'job.release': 'let the job run, all nodes are there',
  'job.stop': 'stop the job',
  'job.notice': 'give the job notice, or withdraw it',
  'job.remove': 'let the agent forget the job',
  'instance.create': 'make an instance',
  'instance.terminate': 'end the instance',
  'group.create': 'create the group',
  'group.delete': 'delete the group',
  'gateway.create': 'make the machine of the gateway',
  'gateway.delete': 'end the machine of the gateway',
  'volume.create': 'make the volume',
  'volume.register': 'find the volume',
  'volume.delete': 'delete the volume',
  'volume.attach': 'attach the volume',
  'volume.detach': 'detach the volume',
};

function intentLines(intent: IntentRecord): PageEvent[] {
  const deed = `server: ${DEEDS[intent.kind]} (attempt ${intent.attempt + 1})`;
  const begun = { time: intent.createdAt, text: `${deed}: to be done` };
  if (intent.state === 'announced') return [begun];
  return [begun, { time: intent.updatedAt, text: `${deed}: ${outcome(intent)}` }];
}

function outcome({ state, result, error }: IntentRecord): string {
  if (state === 'failed') return `failed: ${error ?? 'no reason given'}`;
  return result?.kind === 'no-capacity' ? `no capacity: ${result.message}` : 'done';
}

async function hostLines(store: Store, { hostId }: InstanceRecord): Promise<PageEvent[]> {
  const host = hostId === null ? null : await store.hosts.byId(hostId);
  if (!host) return [];
  const link = host.connected
    ? `connected, executor ${host.executor ?? 'unknown'}`
    : `not connected: ${host.error ?? 'no reason known'}`;
  return [{ time: host.since, text: `server: link to the agent of host ${host.id}: ${link}` }];
}

function reportLine({ state, hostId, receivedAt }: JobReport, stored: number): PageEvent {
  const { phase, exit, log_end, stop_stage, container_ip } = state;
  const parts = [
    `phase ${phase}`,
    ...(stop_stage === null ? [] : [`stopping by ${stop_stage}`]),
    ...(container_ip === null ? [] : [`container at ${container_ip}`]),
    ...(exit === null ? [] : [exit.status === null ? 'never ran' : `exit status ${exit.status}`]),
    ...(exit?.reason ? [exit.reason] : []),
    ...(exit?.message ? [exit.message] : []),
    `${log_end} bytes of output, ${stored} of them stored`,
  ];
  return { time: receivedAt, text: `agent on ${hostId}: ${parts.join(', ')}` };
}

/**
 * Readers page by time, so no two lines may have the same. They print logs to terminals unchanged,
 * so control characters in reports of hosts and programs must be removed here.
 */
function inOrder(lines: readonly PageEvent[]): PageEvent[] {
  let last = 0;
  return lines
    .toSorted((a, b) => a.time - b.time)
    .map(({ time, text }) => {
      last = Math.max(time, last + 1);
      return { time: last, text: `${new Date(last / 1000).toISOString()} ${plainLine(text)}\n` };
    });
}
