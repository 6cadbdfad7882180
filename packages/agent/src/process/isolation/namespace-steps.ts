import { existsSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { join, resolve } from 'node:path';
import type { HostMount } from '../../executor/host-mounts.ts';
import { mountFailure } from '../../executor/host-mounts.ts';
import { TEMPORARY } from './job-area.ts';
import type { NamespaceStep } from './namespace.ts';

/** The files of a job with its own user that replace files shared by all users of the host. */
export interface OwnFiles {
  readonly area: string;
  /** Copies of the machine's lists of accounts and groups with the job's own in them. */
  readonly passwd: string;
  readonly group: string;
  /** Size of the shared memory; null = the default. */
  readonly shmBytes: number | null;
  /**
   * Folders of the agent's programs. Those in the host's `/tmp` are mounted into the job's own one.
   */
  readonly programs: readonly string[];
}

/** They hold programs that run with the agent's rights, so no mount may cover them. */
const SYSTEM = [
  ...['/bin', '/sbin', '/lib', '/lib64', '/usr/bin', '/usr/sbin', '/usr/lib', '/usr/lib64'],
  ...['/etc', '/proc', '/sys', '/dev', '/run'],
];

/** Half of the memory: the kernel's own default. */
const USUAL_SHM = '50%';
const LOCKS_BYTES = String(5 * 1024 * 1024);

/**
 * The steps that make the namespace of a job: its mounts, and for a job with its own user private
 * copies of everything that would outlive the job or show other jobs. `staging`: an empty folder
 * that no job can reach. Throws `JobFailure` for a target that is not allowed.
 */
export function namespaceSteps(
  mounts: readonly HostMount[],
  staging: string,
  own: OwnFiles | null,
): NamespaceStep[] {
  for (const { target } of mounts) refuseSystem(target);
  const covered = (own?.programs ?? []).filter(isTemporary);
  const programs = covered.map((path) => ({ source: path, target: path, readOnly: true }));
  const staged = [...programs, ...mounts].map((mount, index) => ({
    ...mount,
    at: join(staging, String(index)),
  }));
  return [
    // Sources are bound before any mount covers them, and then moved to their targets.
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
    // Last, because the steps above need the host's `/proc`.
    ...(own && canHideProcesses() ? [['processes', '/proc'] as const] : []),
  ];
}

function isTemporary(path: string): boolean {
  return Object.values(TEMPORARY).some((folder) => path.startsWith(`${folder}/`));
}

function ownSteps({ area, passwd, group, shmBytes }: Omit<OwnFiles, 'programs'>): NamespaceStep[] {
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

/** A mount needs a folder or a file as its mount point. */
function place(source: string, path: string): NamespaceStep {
  return [statSync(source).isDirectory() ? 'folder' : 'file', path];
}

function refuseSystem(target: string): void {
  const path = resolve('/', target);
  for (const system of SYSTEM) {
    if (path === '/' || `${path}/`.startsWith(`${system}/`) || system.startsWith(`${path}/`)) {
      const why = `nothing can be mounted at ${target}: jobs run on the host itself here, and ${system} holds its programs or settings`;
      throw mountFailure(why);
    }
  }
}

/** Before Linux 5.8 the option applied to the whole host. */
function canHideProcesses(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 8);
}
