import { spawn } from 'node:child_process';
import type { SessionProcess } from '../executor/session-host.ts';
import { ChildSession } from './child-session.ts';
import type { WrappedCommand } from './run-as.ts';
import { openStandardPipes } from './standard-pipes.ts';

/** Starts a command without a terminal. */
export async function startPiped(
  { before, argv, env, cwd }: WrappedCommand,
  uid: number,
): Promise<SessionProcess> {
  const [file = '/bin/sh', ...args] = [...before, ...argv];
  const options = { cwd, env, detached: true };
  const pipes = await openStandardPipes(uid);
  // Images without a shell have no programs that open `/dev/stderr` by name.
  if (pipes === null) {
    const child = spawn(file, args, { ...options, stdio: 'pipe' });
    return new ChildSession(child, child);
  }
  try {
    return new ChildSession(spawn(file, args, { ...options, stdio: [...pipes.child] }), pipes);
  } finally {
    pipes.started();
  }
}
