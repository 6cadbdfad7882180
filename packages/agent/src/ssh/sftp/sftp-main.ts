/**
 * Serves the files below the directory that is open as descriptor 3, over its standard input and
 * output: `sftp-main.ts <JSON of SftpOptions>`. Started with the agent's rights, it switches to
 * those of the user before it reads a request, so that the kernel checks permissions.
 */
import { once } from 'node:events';
import { RootedFiles } from '../../host/rooted-files.ts';
import { PacketCutter } from './packet.ts';
import type { SftpOptions } from './sftp-options.ts';
import { SftpServer } from './sftp-server.ts';

/** A function of Node that its type definitions omit. */
interface InitGroups {
  initgroups?(user: string | number, extraGroup: number): void;
}

const ROOT = 3;
const { uid, gid, groups, username, cwd }: SftpOptions = JSON.parse(process.argv[2] ?? '');
if (uid !== process.getuid?.() || groups) {
  if (groups) process.setgroups?.([...groups]);
  else (process as InitGroups).initgroups?.(username ?? uid, gid);
  process.setgid?.(gid);
  process.setuid?.(uid);
}
process.umask(0o022);

const server = new SftpServer(new RootedFiles(ROOT), cwd);
const cutter = new PacketCutter();
process.stdout.on('error', () => process.exit(0));
for await (const data of process.stdin as AsyncIterable<Buffer>) {
  for (const packet of cutter.cut(data)) {
    if (!process.stdout.write(server.answer(packet))) await once(process.stdout, 'drain');
  }
}
