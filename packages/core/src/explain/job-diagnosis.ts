import type { ExplainState } from '@dstack/contract/wire';
import type { JobRecord } from '../model/index.ts';
import type { Reason } from './diagnosis.ts';

/** A job with its reasons; none if nothing is wrong. */
export interface JobDiagnosis {
  readonly job: JobRecord;
  readonly state: ExplainState;
  /** Follows the job's name: `waits for …`. */
  readonly text: string;
  readonly reasons: readonly Reason[];
}
