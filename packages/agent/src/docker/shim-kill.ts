import type Docker from 'dockerode';
import { hasEvent } from './container-events.ts';

/** What the daemon reports of a process that containerd killed because its shim had ended. */
const KILLED = 137;
/** What containerd reports of a process whose exit status it does not know. */
const UNKNOWN = '255';

/**
 * Whether the shim of an ended container, the process of containerd that supervises it, was killed and
 * the container with it. The daemon then stores that the process was killed, while its event reports that
 * the status is not known; for a process that ended by itself both are the same. False where a newer
 * daemon stores the status of its event.
 */
export async function wasShimKilled(
  docker: Docker,
  inspected: Docker.ContainerInspectInfo,
): Promise<boolean> {
  if (inspected.State.ExitCode !== KILLED) return false;
  const die = { event: 'die', waitMs: 0 };
  return hasEvent(docker, inspected, die, (one) => one.Actor?.Attributes?.exitCode === UNKNOWN);
}
