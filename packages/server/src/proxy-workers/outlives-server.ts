import { readFileSync } from 'node:fs';

/** The first processes of containers that end with their only child. */
const INITS: ReadonlySet<string> = new Set(['tini', 'docker-init', 'dumb-init', 'catatonit']);

export interface ProcessPlace {
  readonly pid: number;
  readonly ppid: number;
  /** Name of the process with id 1. */
  readonly init: string;
}

/** Whether processes that the server starts can outlive it; in a container of its own they cannot. */
export function canOutliveServer({ pid, ppid, init }: ProcessPlace): boolean {
  return pid !== 1 && !(ppid === 1 && INITS.has(init));
}

export function thisProcess(): ProcessPlace {
  return { pid: process.pid, ppid: process.ppid, init: nameOfFirst() };
}

function nameOfFirst(): string {
  try {
    return readFileSync('/proc/1/comm', 'utf8').trim();
  } catch {
    // There is no `/proc`, so there is no container.
    return '';
  }
}
