import { isJobPulling, isJobRunning } from '@dstack/contract/status';
import {
  formatOptionalTimestamp,
  formatTimestamp,
  type Job,
  type JobConnectionInfo,
  type JobProvisioningData,
  type JobRuntimeData,
  type JobSpec,
  type JobSubmission,
  type RunSpec,
  type SubmissionNotice,
} from '@dstack/contract/wire';
import {
  type JobRecord,
  jobError,
  jobStatusMessage,
  type NoticeRecord,
  type RuntimeData,
  terminationText,
} from '@dstack/core';
import type { RunView } from '@dstack/store';
import { type EntryRoute, entryAnswer } from '../../ssh-entry/entry-route.ts';
import { perRecord } from '../kept-parts.ts';
import { optionalWireBackend, wireBackend } from './backend-name.ts';
import { IDE_NAMES, ideUrl } from './ide-url.ts';
import { isLocalProcess, withPortsBeside } from './local-ports.ts';
import { wireOffer } from './offer.ts';
import type { RunShape } from './run-shape.ts';

/** Submissions of one job, oldest first; `connection` only if the caller requested one run. */
export function wireJob(
  submissions: readonly JobRecord[],
  view: RunView,
  { connection = false, entry }: Pick<RunShape, 'connection' | 'entry'>,
): Job {
  const latest = submissions.at(-1) as JobRecord;
  return {
    job_spec: wireJobSpec(latest.spec, isLocalProcess(latest.provisioningData) ? 'beside' : ''),
    job_submissions: submissions.map((job) => wireSubmission(job, view, entry)),
    job_connection_info:
      connection && isJobRunning(latest.status) ? connectionInfo(latest, view.run.spec) : null,
  };
}

/** Only the server may have the key to the job's instance. */
const wireJobSpec = perRecord((spec: JobSpec, ports: 'beside' | ''): JobSpec => {
  return { ...(ports === 'beside' ? withPortsBeside(spec) : spec), ssh_key: null };
});

export function wireSubmission(
  job: JobRecord,
  view: Pick<RunView, 'run' | 'probes' | 'pulls' | 'stages'>,
  entry: EntryRoute | null,
): JobSubmission {
  const probes = (view.probes[job.id] ?? []).map((streak) => ({ success_streak: streak }));
  const pull = isJobPulling(job.status) ? (view.pulls[job.id] ?? null) : null;
  const stage = view.stages[job.id] ?? null;
  // Connections of users do not show whether programs use the run, so the duration without them is
  // omitted.
  const isInteractive = view.run.spec.configuration.type === 'dev-environment';
  const submission = bareSubmission(job, isInteractive ? 'interactive' : '', entry);
  if (probes.length === 0 && pull === null && stage === null) return submission;
  const status_message = jobStatusMessage(job, stage);
  return { ...submission, status_message, probes, image_pull_progress: pull };
}

/** Without the fields that change independently of the job. */
const bareSubmission = perRecord(submissionOf);

function submissionOf(
  job: JobRecord,
  use: 'interactive' | '',
  entry: EntryRoute | null,
): JobSubmission {
  return {
    id: job.id,
    submission_num: job.submissionNum,
    deployment_num: job.deploymentNum,
    submitted_at: formatTimestamp(job.submittedAt),
    last_processed_at: formatTimestamp(job.statusChangedAt),
    finished_at: formatOptionalTimestamp(job.finishedAt),
    inactivity_secs: use === 'interactive' ? job.inactivitySecs : null,
    status: job.status,
    status_message: jobStatusMessage(job),
    termination_reason: job.terminationReason,
    termination_reason_message: terminationText(job),
    exit_status: job.exitStatus,
    job_provisioning_data: wireProvisioningData(job, entry),
    job_runtime_data: job.runtimeData && wireRuntimeData(job.runtimeData),
    error: jobError(job.terminationReason),
    probes: [],
    image_pull_progress: null,
    ...(job.notice !== null && { notice: wireNotice(job.notice) }),
  };
}

const wireNotice = ({ message, interruptAt, endsAt }: NoticeRecord): SubmissionNotice => ({
  message,
  interrupt_at: formatTimestamp(interruptAt),
  ends_at: formatTimestamp(endsAt),
});

/** Clients require an address and a port even before there are any. */
function wireProvisioningData(
  { id, provisioningData: data }: JobRecord,
  entry: EntryRoute | null,
): JobProvisioningData | null {
  if (data === null) return null;
  return {
    backend: wireBackend(data.backend),
    base_backend: optionalWireBackend(data.base_backend),
    instance_type: data.instance_type,
    instance_id: data.instance_id,
    hostname: data.hostname ?? '',
    internal_ip: data.internal_ip,
    public_ip_enabled: data.public_ip_enabled,
    instance_network: data.instance_network,
    region: data.region,
    availability_zone: data.availability_zone,
    reservation: data.reservation,
    price: data.price,
    username: data.username,
    ssh_port: data.ssh_port ?? 22,
    dockerized: data.dockerized,
    ssh_proxy: data.ssh_proxy,
    backend_data: data.backend_data,
    gpu_driver: data.gpu_driver,
    ...entryAnswer(id, data, entry),
  };
}

function wireRuntimeData(data: RuntimeData): JobRuntimeData {
  return { ...data, offer: data.offer && wireOffer(data.offer) };
}

/** The host name is an alias that an attached client creates: the run's name for its first job. */
function connectionInfo(job: JobRecord, spec: RunSpec): JobConnectionInfo {
  const isFirst = job.jobNum === 0 && job.replicaNum === 0;
  const alias = isFirst ? (spec.run_name ?? job.name) : job.name;
  const ide = spec.configuration.type === 'dev-environment' ? spec.configuration.ide : null;
  const directory = job.runtimeData?.working_dir ?? null;
  return {
    ide_name: ide === null ? null : IDE_NAMES[ide],
    attached_ide_url: ide === null || directory === null ? null : ideUrl(ide, alias, directory),
    proxied_ide_url: null,
    attached_ssh_command: ['ssh', alias],
    proxied_ssh_command: null,
    sshproxy_hostname: null,
    sshproxy_port: null,
    sshproxy_upstream_id: null,
  };
}
