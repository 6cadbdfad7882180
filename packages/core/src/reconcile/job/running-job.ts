/** A running process: its end, and the rules that end it. */
import type { GpuSample, JobRecord, JobReport } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { isJobTerminating, MAX_DURATION_MARGIN } from '../../status/index.ts';
import { silence, silenceDeadline } from '../../time/silence.ts';
import type { RunPass } from '../run/run-pass.ts';
import { isMeasured } from '../service/measured-window.ts';
import { becomeReady, registerReady } from '../service/readiness.ts';
import { endJob, exitIsSettled } from './end-job.ts';
import { followNotice } from './notice.ts';
import { endByExit, noteAddress } from './start-job.ts';

export function advanceRunning(pass: RunPass, job: JobRecord): void {
  const report = pass.reportOf(job);
  const known = report === null ? job : noteAddress(pass, job, report);
  if (report?.state.phase === 'exited') {
    if (exitIsSettled(pass, known)) endByExit(pass, known, report);
    return;
  }
  followNotice(pass, known);
  if (isJobTerminating(pass.fresh(known).status)) return;
  if (pass.run.spec.configuration.type === 'service')
    registerReady(pass, becomeReady(pass, pass.fresh(known)));
  const current = pass.fresh(known);
  const { liveness } = current.spec;
  const failures = pass.snapshot.livenessFailures[current.id] ?? 0;
  if (liveness && failures >= liveness.failures) {
    const request = `${liveness.method.toUpperCase()} ${liveness.url}`;
    const message = `${request} failed ${failures} times in a row`;
    endJob(pass, current, 'liveness_probe_failed', { message });
  } else if (isOverTime(pass, current, report)) {
    const seconds = current.spec.max_duration;
    const message = `The job exceeded the max_duration of ${seconds} seconds and did not stop on its own`;
    endJob(pass, current, OVER_TIME, { message });
  } else if (pass.snapshot.overQuota[current.id] !== undefined) {
    const message = pass.snapshot.overQuota[current.id];
    endJob(pass, current, 'log_quota_exceeded', { message, graceful: true });
  } else if (isInactive(pass, current)) {
    const message = `The job was inactive for ${current.inactivitySecs} seconds`;
    endJob(pass, current, 'inactivity_duration_exceeded', { message, graceful: true });
  } else if (isUnderused(pass, current)) {
    const message = 'The GPU utilization was below the minimum for the whole time window';
    endJob(pass, current, 'terminated_due_to_utilization_policy', { message, graceful: true });
  }
}

const OVER_TIME = 'max_duration_exceeded';

/**
 * The agent measures `max_duration` on its host and ends the process itself, since no clock of a server
 * measures how long a process has run. This rule is for a process that the agent cannot end.
 */
function isOverTime(pass: RunPass, job: JobRecord, report: JobReport | null): boolean {
  const { max_duration, stop_duration } = job.spec;
  if (!max_duration || !report?.state.stop_stage || stop_duration === null) return false;
  // Older agents do not report the reason.
  if ((report.state.stop_reason ?? OVER_TIME) !== OVER_TIME) return false;
  const limit = silence((stop_duration ?? 0) + MAX_DURATION_MARGIN);
  const until = silenceDeadline(pass.ctx, report.receivedAt, limit);
  if (pass.now >= until) return true;
  pass.draft.dueAt(until);
  return false;
}

/** Read from the run's present spec, so that an update in place applies. */
function isInactive(pass: RunPass, job: JobRecord): boolean {
  const { configuration } = pass.run.spec;
  if (configuration.type !== 'dev-environment') return false;
  const limit = configuration.inactivity_duration;
  if (typeof limit !== 'number') return false;
  // Agents report activity from time to time. This update does not schedule a pass.
  const seconds = job.inactivitySecs ?? 0;
  if (seconds >= limit) return true;
  pass.draft.dueAt(pass.now + (limit - seconds) * SECOND);
  return false;
}

/** How far a sample may lie from the beginning of the window. */
const WINDOW_SLACK = 60 * SECOND;

function isUnderused(pass: RunPass, job: JobRecord): boolean {
  const policy = job.spec.utilization_policy;
  const samples = pass.snapshot.gpuSamples[job.id] ?? [];
  if (!policy) return false;
  const begin = pass.now - policy.time_window * SECOND;
  const covers = begin + WINDOW_SLACK;
  // Examined again when the window may be full, then at the interval of the samples.
  pass.draft.dueAt(
    Math.max((job.runningAt ?? pass.now) + policy.time_window * SECOND, pass.now + WINDOW_SLACK),
  );
  // The use in the window was not measured if the time has jumped since the window began.
  if (!isMeasured(pass, policy.time_window)) return false;
  const inWindow = samples.filter((sample) => sample.at >= begin);
  const oldest = inWindow[0];
  if (oldest === undefined || oldest.at > covers) return false;
  return anyGpuAlwaysBelow(inWindow, policy.min_gpu_utilization);
}

function anyGpuAlwaysBelow(samples: readonly GpuSample[], min: number): boolean {
  const gpus = Math.min(...samples.map((sample) => sample.utilization.length));
  for (let gpu = 0; gpu < gpus; gpu++) {
    if (samples.every((sample) => (sample.utilization[gpu] ?? 100) < min)) return true;
  }
  return false;
}
