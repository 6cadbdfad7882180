/** Diagnoses jobs that have an instance and are starting or running. */
import type { JobRecord } from '../model/index.ts';
import { isGang, isPulled, startupOrder } from '../reconcile/job/gang.ts';
import { nodeAddress } from '../reconcile/job/node-address.ts';
import { unreachableUntil } from '../reconcile/job/reachability.ts';
import { mountState } from '../reconcile/job/run-volumes.ts';
import { startDeadline } from '../reconcile/job/start-job.ts';
import type { RunPass } from '../reconcile/run/run-pass.ts';
import { ROUTER_LIMIT, routerAddressFor } from '../reconcile/service/router.ts';
import { isInstanceAvailable, LOG_WAIT, PULLING_LIMIT } from '../status/index.ts';
import { instantText } from '../time/instant-text.ts';
import { silenceDeadline } from '../time/silence.ts';
import { type Reason, reason } from './diagnosis.ts';
import type { JobDiagnosis } from './job-diagnosis.ts';
import { durationText, listText } from './texts.ts';

export function startingPart(pass: RunPass, job: JobRecord): JobDiagnosis {
  const unreachable = unreachableReason(pass, job);
  if (unreachable) return unreachablePart(job, unreachable);
  const found = pass.reportOf(job) === null ? untakenReason(pass, job) : takenReason(pass, job);
  const state = found.rule === 'unreachable' ? 'unreachable' : 'starting';
  return { job, state, text: found.text, reasons: [found] };
}

/** The agent has not accepted the job yet. */
function untakenReason(pass: RunPass, job: JobRecord): Reason {
  const instance = pass.instanceOf(job);
  const host = pass.hostOf(job);
  const until = instance && startDeadline(pass.ctx, { job, instance, from: 0 });
  const name = instance?.name ?? 'its instance';
  if (instance && !isInstanceAvailable(instance.status)) {
    // Until it is in service, the message of an instance is the stage of its creation.
    const stage = host?.error ?? instance.terminationMessage;
    // The nodes of a group come together, so all of its jobs have the same text.
    const awaited = instance.groupId === null ? name : 'the nodes of its gang';
    const text = stage
      ? `waits for ${awaited}: ${stage}`
      : `waits until the agent of ${name} connects`;
    const since = instance.startedAt ?? instance.createdAt;
    return reason('provisioning', text, { since, until });
  }
  if (!host?.connected) {
    const why = host?.error ? ` (${host.error})` : '';
    const since = host?.since ?? job.statusChangedAt;
    return reason('unreachable', `cannot be started: ${name} is unreachable${why}`, {
      since,
      until,
    });
  }
  const router = routerAddressFor(pass.run, job, pass.latest);
  if (router.kind === 'waiting') {
    const text = 'waits until its router has a machine, whose address it needs';
    const until = silenceDeadline(pass.ctx, router.since, ROUTER_LIMIT);
    return reason('other_nodes', text, { since: job.statusChangedAt, until });
  }
  const mounts = mountState(pass, job);
  if (mounts.kind === 'waiting') {
    const { volume } = mounts;
    const text = `waits until volume ${volume.name} is attached to ${name}`;
    const since = volume.attachment?.statusChangedAt ?? job.statusChangedAt;
    return reason('attaching', text, { since, until: mounts.until, has: volume.name });
  }
  const since = job.statusChangedAt;
  return reason('starting', `is being sent to the agent of ${name}`, { since, until });
}

/** The agent has accepted the job. */
function takenReason(pass: RunPass, job: JobRecord): Reason {
  const report = pass.reportOf(job);
  const detail = pullingTimes(pass, job);
  switch (report?.state.phase) {
    case 'accepted':
      return reason('starting', 'waits until its code and files are uploaded to its host', detail);
    case 'preparing':
      return reason('starting', 'is being prepared: its code and files are put in place', detail);
    case 'pulling':
      return reason('pulling', pullText(pass, job), detail);
    case 'held':
      return heldReason(pass, job);
    default:
      return startedReason(pass, job);
  }
}

/** Its host starts it, which takes seconds unless the host itself hangs. */
function startedReason(pass: RunPass, job: JobRecord): Reason {
  const detail = pullingTimes(pass, job);
  const report = pass.reportOf(job);
  const awaited = report?.state.waits_for ?? null;
  if (report === null || awaited === null) return reason('starting', 'is being started', detail);
  const name = pass.instanceOf(job)?.name ?? 'its instance';
  const text = `is being started, and waits on ${name} for ${awaited}`;
  return reason('starting', text, { ...detail, since: report.receivedAt, has: awaited });
}

function pullingTimes({ ctx }: RunPass, { statusChangedAt: since }: JobRecord) {
  return { since, until: silenceDeadline(ctx, since, PULLING_LIMIT) };
}

function pullText(pass: RunPass, job: JobRecord): string {
  const pull = pass.reportOf(job)?.pull;
  const image = `pulls its image ${job.spec.image_name}`;
  if (!pull || pull.total_bytes === 0) return image;
  const bound = pull.is_total_bytes_final ? '' : 'at least ';
  return `${image} (${gigabytes(pull.downloaded_bytes)} of ${bound}${gigabytes(pull.total_bytes)})`;
}

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GB`;

/** The image is pulled; the process waits for other nodes. */
function heldReason(pass: RunPass, job: JobRecord): Reason {
  const nodes = pass.latest.filter((one) => one.replicaNum === job.replicaNum);
  const missing = nodes.filter((one) => nodeAddress(one) === null || !isPulled(pass, one));
  const detail = pullingTimes(pass, job);
  if (isGang(job) && missing.length > 0) {
    const names = listText(missing.map((one) => `${one.name} (${one.status})`));
    return reason('other_nodes', `is ready, and waits for ${names}`, {
      ...detail,
      count: missing.length,
    });
  }
  const order = startupOrder(pass);
  const turn =
    isGang(job) && order !== 'any' ? `its turn (\`startup_order: ${order}\`)` : 'other jobs';
  return reason('other_nodes', `is ready, and waits for ${turn}`, detail);
}

export function unreachableReason(pass: RunPass, job: JobRecord): Reason | null {
  const until = unreachableUntil(pass, job);
  if (until === null) return null;
  const host = pass.hostOf(job);
  const name = pass.instanceOf(job)?.name ?? 'its instance';
  const why = host?.error ? ` (${host.error})` : '';
  const left = until <= pass.now ? 'now' : `in ${durationText(until - pass.now)}`;
  const text =
    `is on ${name}, which is unreachable${why}; it may go on there, and is given up ${left} ` +
    `(${instantText(until)}) unless ${name} is back`;
  return reason('unreachable', text, {
    since: job.disconnectedAt,
    until,
    has: host?.error ?? null,
  });
}

export function unreachablePart(job: JobRecord, unreachable: Reason): JobDiagnosis {
  return { job, state: 'unreachable', text: unreachable.text, reasons: [unreachable] };
}

export function runningPart(pass: RunPass, job: JobRecord): JobDiagnosis {
  const unreachable = unreachableReason(pass, job);
  if (unreachable) return unreachablePart(job, unreachable);
  const logs = logReason(pass, job);
  if (logs) return { job, state: 'stopping', text: logs.text, reasons: [logs] };
  const probes = probeReasons(pass, job);
  const [first] = probes;
  if (first) return { job, state: 'not_ready', text: first.text, reasons: probes };
  const name = pass.instanceOf(job)?.name;
  const where = name ? ` on ${name}` : '';
  const leaving = leavingReasons(job, `runs${where}`);
  return { job, state: 'running', text: leaving[0]?.text ?? `runs${where}`, reasons: leaving };
}

/** It has notice: see `NoticeRecord`. */
function leavingReasons({ notice }: JobRecord, runs: string): Reason[] {
  if (notice === null) return [];
  const { message, requestedAt: since, interruptAt, endsAt: until } = notice;
  const text = `${runs}, and has to leave it by ${instantText(until)} (Ctrl-C: ${instantText(interruptAt)}): ${message}`;
  return [reason('leaving', text, { since, until, has: message })];
}

/** The process has exited and its last output is not stored yet; null if it has not exited. */
export function logReason(pass: RunPass, job: JobRecord): Reason | null {
  const report = pass.reportOf(job);
  if (report?.state.phase !== 'exited') return null;
  const missing = report.state.log_end - pass.storedLog(job);
  if (missing <= 0) return null;
  const until = silenceDeadline(pass.ctx, report.receivedAt, LOG_WAIT);
  const text = `has ended; ${missing} bytes of its output are still to be stored`;
  return reason('log_wait', text, { since: report.receivedAt, until, count: missing });
}

/** One reason for each probe that keeps the replica from being ready. */
function probeReasons(pass: RunPass, job: JobRecord): Reason[] {
  const isServed = pass.run.spec.configuration.type === 'service' && job.jobNum === 0;
  if (!isServed || job.ready) return [];
  const streaks = pass.snapshot.probes[job.id] ?? [];
  return job.spec.probes.flatMap((probe, n) => {
    const streak = streaks[n] ?? 0;
    if (streak >= probe.ready_after) return [];
    const what = `probe ${n} (${probe.method.toUpperCase()} ${probe.url})`;
    const successes = probe.ready_after === 1 ? 'once' : `${probe.ready_after} times in a row`;
    const text =
      streak === 0
        ? `runs, but ${what} fails; it has to succeed ${successes}`
        : `runs; ${what} has succeeded ${streak} of ${probe.ready_after} times`;
    const detail = { asked: String(probe.ready_after), has: String(streak) };
    return [reason('probes', text, { ...detail, since: job.runningAt })];
  });
}
