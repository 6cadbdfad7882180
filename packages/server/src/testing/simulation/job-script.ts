import type { JobSpecForAgent } from '@dstack/contract/agent';
import type { JobSpec } from '@dstack/contract/wire';

/**
 * The behaviour of a process of the simulation; written as its command, so that it is part of the
 * spec.
 */
export interface JobScript {
  /** How long it runs; null = until it is stopped. */
  readonly seconds: number | null;
  readonly exitStatus: number;
  /** Mounts without which it must not start. */
  readonly mounts: number;
  /** It ignores Ctrl-C and SIGTERM. */
  readonly stubborn: boolean;
}

/** `sim 20 exit 1 mounts 0 stubborn` */
export function scriptCommand({ seconds, exitStatus, mounts, stubborn }: JobScript): string {
  return `sim ${seconds ?? 'forever'} exit ${exitStatus} mounts ${mounts}${stubborn ? ' stubborn' : ''}`;
}

/** The same with the time and the exit status that the values of each member name. */
export function ofMember(command: string): string {
  return command.replace(SCRIPT, `sim \${{ array.seconds }} exit \${{ array.exit }} mounts $3$4`);
}

const SCRIPT = /sim (forever|[\d.]+) exit (\d+) mounts (\d+)( stubborn)?/;

export function describeJob({ commands }: Pick<JobSpecForAgent, 'commands'>): JobScript {
  const match = SCRIPT.exec(commands.join(' '));
  if (!match) throw new Error(`no script in ${commands.join(' ')}`);
  const [, seconds, exitStatus, mounts, stubborn] = match;
  return {
    seconds: seconds === 'forever' ? null : Number(seconds),
    exitStatus: Number(exitStatus),
    mounts: Number(mounts),
    stubborn: stubborn !== undefined,
  };
}

/** For each named volume that a job mounts, the names of which one is mounted. */
export function volumeNamesOf({ volumes }: Pick<JobSpec, 'volumes'>): string[][] {
  return (volumes ?? []).flatMap((mount) => ('name' in mount ? [[mount.name].flat()] : []));
}
