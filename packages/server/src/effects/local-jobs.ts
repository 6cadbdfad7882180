import type { InstanceRecord } from '@dstack/core';
import { JobSpecError } from './named-secrets.ts';

/** What jobs may do on the machine of this server. */
export interface LocalJobRules {
  /** Projects that may run jobs there, in lower case. */
  readonly projects: ReadonlySet<string>;
}

/**
 * The last check before a job starts on the server's machine: the settings may have changed since the
 * job was placed there. Throws `JobSpecError`.
 */
export function checkLocalJob(
  { projects }: LocalJobRules,
  instance: Pick<InstanceRecord, 'backend'>,
  projectName: string,
): void {
  if (instance.backend !== 'local' || projects.has(projectName.toLowerCase())) return;
  throw new JobSpecError(
    `Project ${projectName} may not run jobs on the server's machine; its administrator can allow it with DSTACK_LOCAL_PROJECTS`,
  );
}
