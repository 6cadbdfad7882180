/** Starts that fail because of the host: the job is put back in the queue, and the host cools down. */
import type { HostFault } from '@dstack/contract/agent';
import { capabilitiesOf } from '../../capabilities/capabilities.ts';
import { instanceHealthEvent } from '../../events/events.ts';
import { signalCapacity } from '../../instances/index.ts';
import type { InstanceRecord, JobRecord } from '../../model/index.ts';
import {
  afterFailedStart,
  isJobRunning,
  NO_TROUBLE,
  settledTrouble,
  wasPutBack,
} from '../../status/index.ts';
import { coolDownText } from '../instance/track-health.ts';
import type { RunPass } from '../run/run-pass.ts';
import { endJob } from './end-job.ts';

/** Faults to which the job may contribute, by an image that is larger than every disk for example. */
const SHARED: ReadonlySet<string> = new Set<HostFault>(['no_space', 'storage', 'no_resources']);

/** After this many starts in a row the job fails with a shared fault, or on machines that cost money. */
const MOST_STARTS = 5;

interface Fault {
  readonly hostFault: string;
  readonly message: string | null;
}

/**
 * Ends the submission so that it is submitted again at no cost for `retry`, and lets its host cool down.
 * False: the job ran, or has failed in this way too often, so its end is its own.
 */
export function putBack(pass: RunPass, job: JobRecord, fault: Fault): boolean {
  if (isJobRunning(job.status) || job.runningAt !== null) return false;
  const instance = pass.instanceOf(job);
  if (instance !== null) letCool(pass, instance, fault);
  const isBounded = SHARED.has(fault.hostFault) || isRented(instance);
  if (isBounded && startsPutBack(pass, job) + 1 >= MOST_STARTS) return false;
  const name = instance?.name ?? 'The instance';
  const message = `${name} could not start the job: ${fault.message ?? fault.hostFault}`;
  endJob(pass, job, 'failed_to_start_due_to_no_capacity', { message, hostFault: fault.hostFault });
  return true;
}

const isRented = (instance: InstanceRecord | null): boolean =>
  capabilitiesOf(instance?.backend ?? null).owner === 'provider';

/** Earlier submissions of the job in a row, without this one, that were put back. */
function startsPutBack(pass: RunPass, job: JobRecord): number {
  const earlier = pass.draft.jobs
    .all()
    .filter((one) => one.replicaNum === job.replicaNum && one.jobNum === job.jobNum)
    .filter((one) => one.submissionNum < job.submissionNum)
    .sort((a, b) => b.submissionNum - a.submissionNum);
  const other = earlier.findIndex((one) => !wasPutBack(one));
  return other === -1 ? earlier.length : other;
}

/** The pass of the instance keeps its health up to date, and ends the cool-down. */
function letCool(pass: RunPass, instance: InstanceRecord, { hostFault, message }: Fault): void {
  const { draft } = pass;
  const hostTrouble = afterFailedStart(instance.hostTrouble, message ?? hostFault, pass.now);
  const cooled = draft.instances.set(instance, {
    hostTrouble,
    health: 'failure',
    healthMessage: `starts: ${coolDownText(hostTrouble)}`,
  });
  if (cooled.health !== instance.health) {
    draft.event(instanceHealthEvent(instance.health, cooled));
    signalCapacity(draft, cooled);
  }
  draft.signal('instance', instance.id);
}

/** A job has begun on the host, so it can start jobs. */
export function startSucceeded(pass: RunPass, job: JobRecord): void {
  const instance = pass.instanceOf(job);
  if (instance === null || (instance.hostTrouble?.failedStarts ?? 0) === 0) return;
  const { executorFails } = instance.hostTrouble ?? NO_TROUBLE;
  pass.draft.instances.set(instance, {
    hostTrouble: settledTrouble({ ...NO_TROUBLE, executorFails }),
  });
  pass.draft.signal('instance', instance.id);
}
