import { spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import type { SessionAccount, SessionHost, SessionProcess } from '../../executor/session-host.ts';
import { SessionRefusal } from '../../executor/session-host.ts';
import { nodeCommand, programEntry } from '../../host/program-entry.ts';
import { ChildSession } from '../../process/child-session.ts';
import type { SftpOptions } from '../sftp/sftp-options.ts';

/** Serves a job's files if the job has no program for that. */
export function startOwnSftp(host: SessionHost, account: SessionAccount): SessionProcess {
  const root = host.root();
  if (!root) {
    const message =
      'There is no sftp-server in this job, and its files cannot be reached otherwise.';
    throw new SessionRefusal(message, 127);
  }
  const options: SftpOptions = {
    uid: root.hostUid(account.uid),
    gid: root.hostGid(account.gid),
    groups: account.groups?.map(root.hostGid) ?? null,
    username: account.username,
    cwd: host.workingDir,
  };
  const directory = openSync(`${root.path}/`, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const [node, ...words] = nodeCommand();
    const program = programEntry('sftp.js', 'ssh/sftp/sftp-main.ts');
    const args = [...words, '--max-old-space-size=64', program, JSON.stringify(options)];
    const child = spawn(node, args, {
      cwd: '/',
      env: { PATH: process.env.PATH },
      stdio: ['pipe', 'pipe', 'pipe', directory],
    });
    const { stdin, stdout, stderr } = child;
    if (!stdin || !stdout || !stderr) throw new Error('no pipes to the program that serves files');
    return new ChildSession(child, { stdin, stdout, stderr });
  } finally {
    closeSync(directory);
  }
}
