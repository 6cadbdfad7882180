import type { Client, ExecSession, TerminalSize } from '@dstack/client';

/** A job of a run. */
export interface TerminalTarget {
  readonly project: string;
  readonly run: string;
  readonly replica: number;
  readonly job: number;
}

export interface TerminalListener {
  readonly onStarted: () => void;
  readonly onOutput: (bytes: Uint8Array) => void;
}

/** Starts a login shell in a running job. It ends with the connection. */
export function openJobTerminal(
  client: Client,
  { project, run, replica, job }: TerminalTarget,
  size: TerminalSize,
  { onStarted, onOutput }: TerminalListener,
): ExecSession {
  return client.project(project).jobs.exec(
    run,
    {
      replica,
      job,
      tty: { ...size, term: 'xterm-256color' },
      env: { COLORTERM: 'truecolor' },
    },
    { onStarted, onOutput: (bytes) => onOutput(bytes) },
  );
}
