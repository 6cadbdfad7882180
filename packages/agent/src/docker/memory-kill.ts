import { closeSync, constants, openSync, readSync } from 'node:fs';
import type Docker from 'dockerode';
import { hasEvent } from './container-events.ts';

const KERNEL_LOG = '/dev/kmsg';
/** The kernel's limit for one record of its log, with room for its prefix. */
const RECORD_BYTES = 16 * 1024;
/**
 * The longest delay of the Engine's `oom` event after the exit; half a second was observed under
 * load.
 */
const EVENT_MS = 2000;
/** Exit status of a process that was killed. */
const KILLED = 137;

/**
 * Whether the kernel killed a process of an ended container because memory ran out. The Engine's
 * own flag is not enough: the Engine learns of the kill and of the exit separately, and the flag
 * stays unset if the exit arrives first. Its events report the kill even then, and so does the
 * kernel's log where it can be read, before the process is dead.
 *
 * `expected`: the agent killed the container, so there is no need to wait.
 */
export async function wasShortOfMemory(
  docker: Docker,
  inspected: Docker.ContainerInspectInfo,
  expected: boolean,
): Promise<boolean> {
  const { Id, State } = inspected;
  if (State.OOMKilled) return true;
  // In a pipeline the kernel may kill one process while the whole command succeeds.
  if (State.ExitCode === 0) return false;
  if (kernelReportsKill(Id)) return true;
  const waitMs = State.ExitCode === KILLED && !expected ? EVENT_MS : 0;
  return hasEvent(docker, inspected, { event: 'oom', waitMs });
}

/**
 * Whether a record of the kernel's log reports that a process of this container's group was killed.
 */
export function reportsKill(record: string, containerId: string): boolean {
  return record.includes('oom-kill:') && record.includes(containerId);
}

/** Also false if the kernel's log is not readable, or has suppressed records. */
function kernelReportsKill(containerId: string): boolean {
  let log: number;
  try {
    log = openSync(KERNEL_LOG, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    // Not available in this container or to this user. The Engine's events remain.
    return false;
  }
  try {
    for (const record of recordsOf(log)) if (reportsKill(record, containerId)) return true;
    return false;
  } finally {
    closeSync(log);
  }
}

/**
 * The present records of the log, one per read. In many containers another file is in its place,
 * which may end.
 */
export function* recordsOf(log: number): Generator<string> {
  const buffer = Buffer.alloc(RECORD_BYTES);
  for (;;) {
    try {
      const read = readSync(log, buffer);
      if (read === 0) return;
      yield buffer.toString('utf8', 0, read);
    } catch (error) {
      // EPIPE: records were overwritten during the read. The next read continues after them.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return;
    }
  }
}
