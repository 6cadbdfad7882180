import { closeSync, constants, openSync, readSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';

const KERNEL_LOG = '/dev/kmsg';
/** The kernel's limit for one record of its log, with room for its prefix. */
const RECORD_BYTES = 16 * 1024;
/** How long the Engine's `oom` event may trail behind the exit; half a second was seen under load. */
const EVENT_MS = 2000;
/** Exit status of a process that was killed. */
const KILLED = 137;

/**
 * Whether the kernel killed a process of an ended container for want of memory. The Engine's own
 * flag is not enough: it hears of the kill and of the exit on two ways, and the flag stays unset when
 * the exit is heard first. So the Engine's events are asked, which tell of the kill even then, and the
 * kernel's log, where it can be read: in it the kill stands before the process is dead.
 *
 * `expected`: the container was killed by us, so nothing has to be waited for.
 */
export async function wasShortOfMemory(
  docker: Docker,
  { Id, State }: Docker.ContainerInspectInfo,
  expected: boolean,
): Promise<boolean> {
  if (State.OOMKilled) return true;
  // In a pipeline the kernel may kill one process while the command as a whole succeeds.
  if (State.ExitCode === 0) return false;
  if (kernelTells(Id)) return true;
  const patience = State.ExitCode === KILLED && !expected ? EVENT_MS : 0;
  return engineTells(docker, Id, State.StartedAt, patience);
}

/** Whether a record of the kernel's log says that a process in this container's group was killed. */
export function tellsOfKill(record: string, containerId: string): boolean {
  return record.includes('oom-kill:') && record.includes(containerId);
}

/** Also false where the kernel's log is not for us, or has left out records because of their number. */
function kernelTells(containerId: string): boolean {
  let log: number;
  try {
    log = openSync(KERNEL_LOG, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    // Not in this container, or not for this user: the Engine's events are left.
    return false;
  }
  try {
    for (const record of recordsOf(log)) if (tellsOfKill(record, containerId)) return true;
    return false;
  } finally {
    closeSync(log);
  }
}

/**
 * What the log holds now; one read gives one record. Where something else stands in its place, as in
 * many containers, it may end.
 */
export function* recordsOf(log: number): Generator<string> {
  const buffer = Buffer.alloc(RECORD_BYTES);
  for (;;) {
    try {
      const read = readSync(log, buffer);
      if (read === 0) return;
      yield buffer.toString('utf8', 0, read);
    } catch (error) {
      // EPIPE: records were overwritten while we read, the next read goes on after them.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return;
    }
  }
}

/** The daemon keeps its last 256 events and gives those since the start at once. */
async function engineTells(
  docker: Docker,
  containerId: string,
  startedAt: string,
  patienceMs: number,
): Promise<boolean> {
  const events = (await docker.getEvents({
    since: Math.floor(Date.parse(startedAt) / 1000),
    until: (Date.now() + patienceMs) / 1000,
    filters: { container: [containerId], event: ['oom'] },
  })) as Readable;
  // A daemon that dies meanwhile, or whose clock is behind, must not keep the job from ending.
  const timer = setTimeout(() => events.destroy(), patienceMs + EVENT_MS);
  try {
    for await (const _ of events) return true;
    return false;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    events.destroy();
  }
}
