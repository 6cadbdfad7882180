/** Explains a run, or one of its jobs. */
import type { ExplainState, Fix } from '@dstack/contract/wire';
import type { ArraySnapshot, HoldRecord, JobRecord, RunRecord } from '../model/index.ts';
import type { BackendAnswers, BackendsState } from '../placement/backend-answers.ts';
import type { Forecast } from '../placement/forecast.ts';
import { cronOf } from '../reconcile/run/pending-run.ts';
import {
  isJobDone,
  isRunActive,
  isRunFinished,
  isRunPending,
  isRunTerminating,
} from '../status/index.ts';
import { arrayReasons, arrayText, endedArrayText } from './arrays.ts';
import { borrowedReasons } from './borrowed.ts';
import { capacityFixes } from './capacity-fixes.ts';
import { dependencyReasons } from './dependencies.ts';
import { type Diagnosis, diagnosisOf, type Reason, reason } from './diagnosis.ts';
import { runEndText, wasRefusedByOffers } from './endings.ts';
import type { Answerable, ExplainContext, ExplainedRun } from './input.ts';
import type { JobDiagnosis } from './job-diagnosis.ts';
import { diagnoseJob, partOf } from './job-parts.ts';
import { RunDiagnosis } from './run-diagnosis.ts';
import { runFixes } from './run-fixes.ts';
import { scalingReasons } from './scaling.ts';
import { atText, listText, pluralText } from './texts.ts';
import type { Waiting } from './waiting.ts';

export function explainRun(
  input: ExplainedRun,
  backends: BackendsState,
  answers: BackendAnswers,
  ctx: ExplainContext,
): Answerable<Diagnosis> {
  const diagnosis = new RunDiagnosis(input, backends, answers, ctx);
  const jobs = diagnosis.diagnoses();
  const assessment = assessRun(diagnosis, jobs);
  return answer(diagnosis, jobs, diagnosis.firstWaiting, assessment);
}

/** `meant`: the newest submission of the job. */
export function explainJob(
  input: ExplainedRun,
  meant: JobRecord,
  backends: BackendsState,
  answers: BackendAnswers,
  ctx: ExplainContext,
): Answerable<Diagnosis> {
  const diagnosis = new RunDiagnosis(input, backends, answers, ctx);
  const waiting = diagnosis.waitingOf(meant.replicaNum);
  const found = diagnosis.diagnoses().find(({ job }) => job.id === meant.id);
  const { state, text, reasons } = found ?? diagnoseJob(diagnosis.pass, meant, waiting);
  const summary = `Job ${meant.name} ${text}.`;
  const assessment = { state, summary, reasons, waits: isWaiting(state) };
  return answer(diagnosis, found ? [found] : [], waiting, assessment);
}

interface Assessment {
  readonly state: ExplainState;
  readonly summary: string;
  readonly reasons: readonly Reason[];
  readonly waits: boolean;
}

function answer(
  diagnosis: RunDiagnosis,
  jobs: readonly JobDiagnosis[],
  waiting: Waiting | null,
  assessment: Assessment,
): Answerable<Diagnosis> {
  const { run } = diagnosis.pass;
  const fixes: Fix[] = [
    ...(waiting ? capacityFixes(waiting, diagnosis.world, diagnosis.around) : []),
    ...runFixes(diagnosis.pass, jobs, waiting),
  ];
  const isQueued = waiting !== null && !isRunFinished(run.status);
  const explanation = diagnosisOf(assessment, {
    position: isQueued && waiting.place ? waiting.place.ahead + 1 : null,
    ...(isQueued && waiting.forecast !== null && startOf(waiting.forecast)),
    ahead: isQueued ? waiting.ahead : [],
    parts: jobs.map(partOf),
    considered: waiting?.rows ?? [],
    fixes,
  });
  return { explanation, wanted: [...diagnosis.wanted.values()] };
}

const startOf = ({ startsAt, isAbout }: Forecast) => ({
  ...{ expected_start: startsAt, is_about: startsAt !== null && isAbout },
});

/** States in which the subject waits for nothing. */
function isWaiting(state: ExplainState): boolean {
  return state !== 'running' && state !== 'ended';
}

function assessRun(diagnosis: RunDiagnosis, jobs: readonly JobDiagnosis[]): Assessment {
  const { run } = diagnosis.pass;
  if (isRunFinished(run.status)) return assessEnded(diagnosis, jobs);
  const { array } = diagnosis.pass.snapshot;
  if (array !== undefined && isRunActive(run.status)) return assessArray(run, array);
  const scaling = scalingReasons(diagnosis.pass);
  if (isRunPending(run.status)) return withReasons(assessPending(diagnosis, jobs), scaling);
  const reasons = [...scaling, ...borrowedReasons(diagnosis)];
  const assessment = withReasons(assessJobs(run, jobs), reasons);
  if (!isRunTerminating(run.status)) return assessment;
  const alive = jobs.filter((one) => one.state !== 'ended');
  return { ...assessment, state: 'stopping', waits: true, summary: `${runText(run, alive)}.` };
}

function withReasons(assessment: Assessment, more: readonly Reason[]): Assessment {
  return { ...assessment, reasons: [...assessment.reasons, ...more] };
}

export const nameOf = ({ name, spec }: RunRecord): string =>
  `${spec.configuration.type === 'service' ? 'Service' : 'Run'} ${name}`;

function assessEnded(
  { pass, firstWaiting, upstreams }: RunDiagnosis,
  jobs: readonly JobDiagnosis[],
): Assessment {
  const { run } = pass;
  const since = run.lastProcessedAt;
  const why = runEndText(run);
  const rule = run.terminationReason === 'retry_limit_exceeded' ? 'retry_limit' : 'ended';
  if (run.dependencyState === 'unmet' && run.terminationReason === 'server_error') {
    const unmet = dependencyReasons(pass.snapshot.dependencies, upstreams);
    const texts = listText(unmet.map(({ text }) => text));
    const summary = `${nameOf(run)} could not start: it ${texts || 'depends on another run'}.`;
    return { state: 'ended', waits: false, reasons: unmet, summary };
  }
  const { array } = pass.snapshot;
  if (array !== undefined) return assessEndedArray(run, array);
  const own = why === null ? [] : [reason(rule, why, { has: run.terminationReason, since })];
  const failed = jobs.filter(({ job }) => !isJobDone(job.status));
  const assessment = failed.length > 0 ? failed : jobs;
  const texts = [...new Set(assessment.map((one) => one.text))];
  const summary = [
    `${nameOf(run)} ${ENDS[run.status] ?? run.status}${why === null ? '' : `: ${why}`}`,
    ...(run.terminationReason === 'all_jobs_done'
      ? []
      : texts.slice(0, 2).map((text) => `The job ${text}`)),
    ...nowText(firstWaiting, jobs),
  ];
  const reasons = [
    ...own,
    ...distinct(assessment.flatMap((one) => one.reasons)),
    ...(firstWaiting?.look.option ? [] : (firstWaiting?.reasons ?? [])),
  ];
  return { state: 'ended', waits: false, reasons, summary: sentences(summary) };
}

function assessArray(run: RunRecord, array: ArraySnapshot): Assessment {
  const reasons = arrayReasons(run, array);
  const state = array.members.running > 0 ? 'running' : 'waiting';
  const summary = sentences([
    `Array ${run.name} has ${arrayText(array)}`,
    ...reasons.map(({ text }) => text),
  ]);
  return { state, waits: isWaiting(state), reasons, summary };
}

function assessEndedArray(run: RunRecord, array: ArraySnapshot): Assessment {
  const since = run.lastProcessedAt;
  const text = endedArrayText(run, array);
  const reasons = [reason('ended', text, { has: run.terminationReason, since })];
  const ends = `Array ${run.name} ${ENDS[run.status] ?? run.status}`;
  return { state: 'ended', waits: false, reasons, summary: `${ends}: ${text}.` };
}

const ENDS: Partial<Record<RunRecord['status'], string>> = {
  done: 'is done',
  failed: 'failed',
  terminated: 'was ended',
};

/** For a run that failed without a place: what placement would find now. */
function nowText(waiting: Waiting | null, jobs: readonly JobDiagnosis[]): string[] {
  if (waiting === null) return [];
  const { option } = waiting.look;
  if (!option) return [`Now: ${waiting.text}`];
  return [
    jobs.some(({ job }) => wasRefusedByOffers(job))
      ? `Fleet ${option.fleet.name} has offers for it: correct what they were refused for, then apply it again`
      : `Now there is a place for it in fleet ${option.fleet.name}: apply it again`,
  ];
}

function assessPending(diagnosis: RunDiagnosis, jobs: readonly JobDiagnosis[]): Assessment {
  const { run, now } = diagnosis.pass;
  if (run.hold !== null) return assessHeld(run, run.hold);
  if (awaitsOthers(run)) return assessDependent(diagnosis);
  if (run.resubmissionAttempt > 0)
    return { ...assessJobs(run, jobs), state: 'retrying', waits: true };
  const cron = cronOf(run);
  if (cron !== null) {
    const until = run.nextTriggeredAt;
    const when = until === null ? 'never' : atText(until, now);
    const text = `waits for its schedule (${cron.join('; ')}): it starts ${when}`;
    const detail = { asked: cron.join('; '), since: run.lastProcessedAt, until };
    const reasons = [reason('schedule', text, detail)];
    return { state: 'scheduled', waits: true, reasons, summary: `${nameOf(run)} ${text}.` };
  }
  if (Object.values(run.desiredReplicas).every((count) => count === 0)) {
    const url = run.serviceSpec?.url;
    const text = `is scaled to zero, and starts with the first request${url ? ` to ${url}` : ''}`;
    const reasons = [reason('scaled_to_zero', text, { since: run.lastProcessedAt })];
    return { state: 'scaled_to_zero', waits: true, reasons, summary: `${nameOf(run)} ${text}.` };
  }
  const text = 'is about to be submitted';
  const reasons = [reason('submitting', text, { since: run.lastProcessedAt })];
  return { state: 'waiting', waits: true, reasons, summary: `${nameOf(run)} ${text}.` };
}

const awaitsOthers = ({ dependencyState: state }: RunRecord): boolean =>
  state === 'open' || state === 'unmet';

function assessDependent({ pass, upstreams }: RunDiagnosis): Assessment {
  const { run } = pass;
  const reasons = dependencyReasons(pass.snapshot.dependencies, upstreams);
  const texts = reasons.map(({ text }) => text);
  const isKept = run.dependencyState === 'unmet';
  const text = isKept ? `${listText(texts)}, and waits to be released` : listText(texts);
  const summary = `${nameOf(run)} ${text || 'is about to be submitted'}.`;
  return { state: 'waiting', waits: true, reasons, summary };
}

function assessHeld(run: RunRecord, { by, since }: HoldRecord): Assessment {
  const text = `is held by ${by}: it stays out of the queue until it is released`;
  const reasons = [reason('held', text, { has: by, since })];
  return { state: 'held', waits: true, reasons, summary: `${nameOf(run)} ${text}.` };
}

/** The state of a run is the first of these that one of its jobs is in. */
const WORST_FIRST: readonly ExplainState[] = [
  'waiting',
  'retrying',
  'creating',
  'starting',
  'unreachable',
  'not_ready',
  'stopping',
  'running',
  'ended',
];

function assessJobs(run: RunRecord, jobs: readonly JobDiagnosis[]): Assessment {
  const counting = jobs.filter(
    ({ job, state }) => state !== 'ended' || job.terminationReason !== 'scaled_down',
  );
  const relevant = counting.length > 0 ? counting : jobs;
  const worst = WORST_FIRST.find((state) => relevant.some((one) => one.state === state));
  const state = worst ?? 'waiting';
  const reasons = distinct(
    sorted(relevant).flatMap((one) =>
      one.state === 'running' || isWaiting(one.state) ? one.reasons : [],
    ),
  );
  if (run.spec.configuration.type === 'service')
    return describeService(run, relevant, state, reasons);
  const summary = `${runText(run, relevant)}.`;
  return { state, waits: isWaiting(state), reasons, summary };
}

function describeService(
  run: RunRecord,
  jobs: readonly JobDiagnosis[],
  worst: ExplainState,
  reasons: readonly Reason[],
): Assessment {
  const replicas = jobs.filter(({ job }) => job.jobNum === 0);
  const ready = replicas.filter(({ job, state }) => state === 'running' && job.ready);
  const wanted = Object.values(run.desiredReplicas).reduce((sum, n) => sum + n, 0);
  const others = jobs.filter((one) => !ready.includes(one) && one.state !== 'ended');
  const isWhole = ready.length >= wanted;
  const state = isWhole ? 'running' : ready.length > 0 ? 'degraded' : worst;
  const head =
    ready.length === 0
      ? `${nameOf(run)} has no ready replica`
      : `${nameOf(run)} answers with ${ready.length} of ${wanted} replicas`;
  const summary = others.length === 0 ? `${head}.` : `${head}: ${jobsText(others)}.`;
  return { state, waits: !isWhole, reasons, summary };
}

const sorted = (jobs: readonly JobDiagnosis[]): JobDiagnosis[] =>
  jobs.toSorted((a, b) => WORST_FIRST.indexOf(a.state) - WORST_FIRST.indexOf(b.state));

/** The most groups of jobs in a summary. */
const GROUPS = 3;

/** Groups jobs with the same text: `train-0-0 and train-1-0 run; …`. */
function jobsText(jobs: readonly JobDiagnosis[]): string {
  const byText = new Map<string, string[]>();
  for (const { text, job } of sorted(jobs))
    byText.set(text, [...(byText.get(text) ?? []), job.name]);
  const groups = [...byText].map(([text, names]) =>
    names.length === 1 ? `${names[0]} ${text}` : `${listText(names)} ${pluralText(text)}`,
  );
  const more = groups.length - GROUPS;
  const end = more > 0 ? [`and ${more} more`] : [];
  return [...groups.slice(0, GROUPS), ...end].join('; ');
}

/** If the run has a single job, the sentence is about the run. */
function runText(run: RunRecord, jobs: readonly JobDiagnosis[]): string {
  const [only] = jobs;
  if (!only) return `${nameOf(run)} has no jobs`;
  const isAlike = jobs.every((job) => job.text === only.text);
  return isAlike ? `${nameOf(run)} ${only.text}` : `${nameOf(run)}: ${jobsText(jobs)}`;
}

/** Merges equal reasons of several jobs. */
function distinct(reasons: readonly Reason[]): Reason[] {
  const found = new Map<string, Reason[]>();
  for (const one of reasons) {
    const key = `${one.rule} ${one.text}`;
    found.set(key, [...(found.get(key) ?? []), one]);
  }
  return [...found.values()].map((own) => {
    const [first] = own as [Reason, ...Reason[]];
    return own.length === 1 ? first : { ...first, part: null };
  });
}

function sentences(parts: readonly string[]): string {
  return parts.map((part) => `${part.charAt(0).toUpperCase()}${part.slice(1)}.`).join(' ');
}
