import { existsSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { join, resolve } from 'node:path';
import type { HostMount } from '../../jobs/host-mounts.ts';
import { mountFailure } from '../../jobs/host-mounts.ts';
import { TEMPORARY } from './job-area.ts';
import type { NamespaceStep } from './namespace.ts';

/** What a job with a user of its own finds in place of what all users of the machine share. */
export interface OwnFiles {
  readonly area: string;
  /** Copies of the machine's lists of accounts and groups with the job's own in them. */
  readonly passwd: string;
  readonly group: string;
  /** Size of the shared memory; null = the usual one. */
  readonly shmBytes: number | null;
}

/** Below these, or around them, the programs are that run with our rights. */
const SYSTEM = [
  ...['/bin', '/sbin', '/lib', '/lib64', '/usr/bin', '/usr/sbin', '/usr/lib', '/usr/lib64'],
  ...['/etc', '/proc', '/sys', '/dev', '/run'],
];

/** Half of the memory, as the kernel has it for file systems that nobody sized. */
const USUAL_SHM = '50%';
const LOCKS_BYTES = String(5 * 1024 * 1024);

/**
 * The steps to the namespace of a job: the directories of the machine that it mounts, and for a job
 * with a user of its own everything that would outlive it or show it others. `staging`: an empty
 * folder that no job can reach. Throws `JobFailure` for a target that no mount may have.
 */
export function namespaceSteps(
  mounts: readonly HostMount[],
  staging: string,
  own: OwnFiles | null,
): NamespaceStep[] {
  for (const { target } of mounts) refuseSystem(target);
  const staged = mounts.map((mount, index) => ({ ...mount, at: join(staging, String(index)) }));
  return [
    // Found before anything is put over them, and put in place after that.
    ...staged.flatMap(({ source, at, readOnly }): NamespaceStep[] => [
      place(source, at),
      ['bind', source, at],
      ...(readOnly ? [['readonly', at] as const] : []),
    ]),
    ...(own ? ownSteps(own) : []),
    ...staged.flatMap(({ source, target, at }): NamespaceStep[] => [
      place(source, target),
      ['move', at, target],
    ]),
    // The programs above may look into it.
    ...(own && canHideProcesses() ? [['processes', '/proc'] as const] : []),
  ];
}

function ownSteps({ area, passwd, group, shmBytes }: OwnFiles): NamespaceStep[] {
  const temporary = Object.entries(TEMPORARY)
    .filter(([, path]) => existsSync(path))
    .map(([name, path]): NamespaceStep => ['bind', join(area, name), path]);
  return [
    ['bind', passwd, '/etc/passwd'],
    ['bind', group, '/etc/group'],
    ...temporary,
    ...memory('/dev/shm', shmBytes === null ? USUAL_SHM : String(shmBytes)),
    ...memory('/run/lock', LOCKS_BYTES),
    ...(existsSync('/dev/mqueue') ? [['queues', '/dev/mqueue'] as const] : []),
  ];
}

function memory(path: string, size: string): NamespaceStep[] {
  return existsSync(path) ? [['memory', path, size]] : [];
}

/** A mount needs something of its kind to lie on. */
function place(source: string, path: string): NamespaceStep {
  return [statSync(source).isDirectory() ? 'folder' : 'file', path];
}

function refuseSystem(target: string): void {
  const path = resolve('/', target);
  for (const system of SYSTEM) {
    if (path === '/' || `${path}/`.startsWith(`${system}/`) || system.startsWith(`${path}/`)) {
      const why = `nothing can be mounted at ${target}: here jobs run on the machine itself, and ${system} holds its programs or settings`;
      throw mountFailure(why);
    }
  }
}

/** Before Linux 5.8 the option was one of the whole machine. */
function canHideProcesses(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 8);
}
