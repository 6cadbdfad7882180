/** Jobs that have to leave their instances. */
import type { JobRecord, NoticeRecord } from '../model/records.ts';
import { SECOND } from '../model/values.ts';
import { wasPutBack } from './host-faults.ts';

/** From Ctrl-C to SIGKILL it is half of this; a notice that is shorter is divided likewise. */
export const NOTICE_GRACE = 60 * SECOND;

/** Seconds that a notice leaves a process after Ctrl-C. */
export const graceSeconds = ({
  interruptAt,
  endsAt,
}: Pick<NoticeRecord, 'interruptAt' | 'endsAt'>): number => (endsAt - interruptAt) / SECOND;

/** Termination reason of a job whose process ends after Ctrl-C of a notice. */
export const NOTICE_REASON = 'interrupted_by_no_capacity';

/** Whether the agent ended the submission by its notice: its host was not lost with it. */
export function leftByNotice({
  notice,
  terminationReason,
}: Pick<JobRecord, 'notice' | 'terminationReason'>): boolean {
  return notice !== null && terminationReason === NOTICE_REASON;
}

/** Whether people or other runs have had the submission leave its instance. Its run goes on elsewhere. */
export function hadToLeave(job: Pick<JobRecord, 'notice' | 'terminationReason'>): boolean {
  return leftByNotice(job) && job.notice?.isTakenBack !== true;
}

/** Whether the submission is followed by another one whatever the value of `retry`, which it does not use up. */
export const isRequeued = (
  job: Parameters<typeof wasPutBack>[0] & Pick<JobRecord, 'notice'>,
): boolean => wasPutBack(job) || hadToLeave(job);
