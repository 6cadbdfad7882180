import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** A step in a new mount namespace: a command of `SETUP` and its arguments. */
export type NamespaceStep =
  /** Shows `from` at `to`. */
  | readonly ['bind', from: string, to: string]
  /** Moves a mount. */
  | readonly ['move', from: string, to: string]
  | readonly ['readonly', path: string]
  | readonly ['folder', path: string]
  | readonly ['file', path: string]
  /** An empty file system in memory of this size (bytes, or percent of all memory). */
  | readonly ['memory', path: string, size: string]
  /** Message queues of the new namespace instead of the host's. */
  | readonly ['queues', path: string]
  /** A `/proc` that shows each user its own processes only. */
  | readonly ['processes', path: string];

const UNSHARE = ['unshare', '--mount', '--ipc', '--propagation', 'slave', '--'] as const;

/** Stops at the first step that fails, with the error message of that step. */
const SETUP = `
while [ $# -gt 0 ]; do
  step=$1; at=$2
  case $step in
    bind) mount --rbind "$2" "$3" || exit 1; shift 3 ;;
    move) mount --move "$2" "$3" || exit 1; shift 3 ;;
    readonly) mount -o remount,bind,ro "$at" || exit 1; shift 2 ;;
    folder) mkdir -p "$at" || exit 1; shift 2 ;;
    file) [ -e "$at" ] || : > "$at" || exit 1; shift 2 ;;
    memory) mount -t tmpfs -o "mode=1777,nosuid,nodev,size=$3" tmpfs "$at" || exit 1; shift 3 ;;
    queues) mount -t mqueue mqueue "$at" || exit 1; shift 2 ;;
    processes) mount -t proc -o nosuid,nodev,noexec,hidepid=2 proc "$at" || exit 1; shift 2 ;;
    *) echo "unknown step $step" >&2; exit 1 ;;
  esac
done
echo ready
exec cat > /dev/null
`;

/**
 * Namespaces, which exist as long as a process is in them. The process of this object stays until
 * `close`.
 */
export interface JobNamespace {
  /** A process in them. */
  readonly pid: number;
  close(): Promise<void>;
}

/** Whether this process may make namespaces and mounts. */
export function canMakeNamespaces(): boolean {
  const [command, ...args] = UNSHARE;
  return spawnSync(command, [...args, 'true'], { stdio: 'ignore' }).status === 0;
}

/**
 * Makes a mount namespace and runs the steps in it, and an IPC namespace. Later mounts of the host
 * appear in it, but its own mounts do not appear on the host. Rejects with the error message of the
 * step that failed. Both namespaces end with this process at the latest.
 */
export async function openNamespace(steps: readonly NamespaceStep[]): Promise<JobNamespace> {
  const [command, ...args] = UNSHARE;
  const words = [...args, '/bin/sh', '-c', SETUP, 'sh', ...steps.flat()];
  const child = spawn(command, words, {
    cwd: '/',
    env: { PATH: process.env.PATH ?? '', LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'pipe'],
    // A Ctrl-C at the agent's terminal must not end it.
    detached: true,
  });
  child.stdin.on('error', () => {});
  await untilReady(child);
  return {
    pid: child.pid ?? 0,
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}

function untilReady(child: ChildProcess): Promise<void> {
  let errorText = '';
  child.stderr?.on('data', (text) => {
    errorText += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => reject(new Error(errorText.trim().slice(-500) || 'no namespace')));
    child.stdout?.once('data', () => resolve());
  });
}
