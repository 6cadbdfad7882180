import type { HostFault } from '@dstack/contract/agent';

/** The reason of an end of a running job that its host has caused; `retry: [interruption]` covers it. */
export const INTERRUPTED = 'interrupted_by_no_capacity';

export interface JobFailureOptions extends ErrorOptions {
  /** Set if the host, not the job, has failed. */
  readonly hostFault?: HostFault | null;
}

/** The job cannot continue. `reason` is a termination reason of the wire. */
export class JobFailure extends Error {
  readonly reason: string;
  readonly hostFault: HostFault | null;

  constructor(reason: string, message: string, options: JobFailureOptions = {}) {
    super(message, options);
    this.reason = reason;
    this.hostFault = options.hostFault ?? systemFault(options.cause);
  }
}

/** The host cannot answer now whether the job still runs, so the agent has to ask again. */
export class JobUnknown extends JobFailure {}

const SYSTEM_FAULTS: Readonly<Record<string, HostFault>> = {
  ENOSPC: 'no_space',
  EDQUOT: 'no_space',
  EROFS: 'storage',
  EIO: 'storage',
  EAGAIN: 'no_resources',
  EMFILE: 'no_resources',
  ENFILE: 'no_resources',
  ENOMEM: 'no_resources',
};

/** The fault of the host that an error of the system shows; null if it may be the job's own. */
export function systemFault(error: unknown): HostFault | null {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof JobFailure) return each.hostFault;
    const { code } = each as NodeJS.ErrnoException;
    const fault = code === undefined ? undefined : SYSTEM_FAULTS[code];
    if (fault !== undefined) return fault;
  }
  return null;
}
