import type {
  SessionAccount,
  SessionCommand,
  SessionHost,
  SessionProcess,
} from '../../executor/session-host.ts';
import { SessionRefusal } from '../../executor/session-host.ts';
import type { RunSession, SessionRequest } from '../session.ts';
import { forwardAgent } from './agent-forward.ts';
import { channelOutput } from './channel-output.ts';
import { startOwnSftp } from './own-sftp.ts';
import { plainProgram } from './plain-program.ts';
import { identityOf, shellOf } from './session-shell.ts';
import { sftpCommand } from './sftp-command.ts';

const NOT_RUNNING = 'The job does not run.';
const NO_SHELL =
  'This job has no shell (neither that of its user nor /bin/bash or /bin/sh). Over SSH it takes ' +
  'programs by their absolute paths, with words after them (nothing that a shell fills in), and ' +
  'port forwards.';
/** The exit code of a shell for a missing command. */
const NOT_FOUND = 127;

/** Runs shells, commands and file transfers in a job; `host` returns null while it does not run. */
export function sessionRunner(host: () => SessionHost | null): RunSession {
  return async (request) => {
    const job = host();
    if (!job) throw new SessionRefusal(NOT_RUNNING, 1);
    const account = await job.account(request.identity.login);
    const command = await commandOf(job, account, request);
    const process = command ? await job.start(command) : startOwnSftp(job, account);
    request.exit(await converse(request, process));
  };
}

/** Null = the client requests the job's files, and the job has no program that serves them. */
async function commandOf(
  host: SessionHost,
  account: SessionAccount,
  request: SessionRequest,
): Promise<SessionCommand | null> {
  const { kind, command, terminal } = request;
  if (kind === 'subsystem') {
    if (command !== 'sftp') throw new SessionRefusal(`There is no subsystem ${command}.`, 1);
    return sftpCommand(host, account, request.env);
  }
  const shell = await shellOf(host, account);
  const argv = shell ? inShell(shell, host, request) : withoutShell(request);
  const env = {
    ...identityOf(account, shell),
    ...(terminal ? { TERM: terminal.term } : {}),
    ...request.env,
    ...(await forwardAgent(host, account, request)),
  };
  return { account, argv, env, terminal };
}

/** The shell gets the command unchanged, as with any SSH server. */
function inShell(shell: string, host: SessionHost, { kind, command }: SessionRequest): string[] {
  return [shell, ...(kind === 'exec' ? ['-c', command ?? ''] : host.loginShell)];
}

function withoutShell({ kind, command }: SessionRequest): string[] {
  const words = kind === 'exec' && command ? plainProgram(command) : null;
  if (words) return words;
  throw new SessionRefusal(NO_SHELL, NOT_FOUND);
}

async function converse(
  request: SessionRequest,
  process: SessionProcess,
): Promise<number | string> {
  const { channel, hungUp } = request;
  request.onResize(({ cols, rows }) => process.resize(cols, rows));
  request.onSignal((name) => process.signal(name));
  void hungUp.then(() => process.hangUp());
  // A command may close its input and continue.
  process.stdin.on('error', () => channel.resume());
  // A terminal has no end of input but Ctrl-D, and the Engine would stop its output as well.
  channel.pipe(process.stdin, { end: request.terminal === null });
  return process.run(channelOutput(channel, hungUp));
}
