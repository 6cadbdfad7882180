import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hostAccount } from '../../executor/accounts.ts';
import type { ExecutorJob } from '../../executor/executor.ts';
import type { JobAccount } from '../../executor/job-account.ts';
import { processesByUser } from '../../host/process-users.ts';
import { programFolders } from '../../host/program-entry.ts';
import { deviceGroups } from '../device-groups.ts';
import { makeArea, removeArea } from './job-area.ts';
import type { OwnFiles } from './namespace-steps.ts';
import { UidClaims, type UidRange } from './uid-claims.ts';

export interface JobUsersOptions {
  readonly uids: UidRange;
  /** Where the areas of this server's jobs are: `<base>/<server>`. */
  readonly homes: string;
}

/** A job's user and its files. */
export interface AssignedUser {
  readonly account: JobAccount;
  /** Whether the account belongs to this job alone, so that all of its processes are the job's. */
  readonly isOwn: boolean;
  readonly files: OwnFiles;
}

const ROUNDS = 300;
const ROUND_MS = 10;

/**
 * Gives each process job its own user, which owns only the job's files, so that the kernel protects
 * everything else from the job.
 */
export class JobUsers {
  readonly #claims: UidClaims;
  readonly #base: string;

  constructor(options: JobUsersOptions) {
    this.#base = dirname(options.homes);
    this.#claims = new UidClaims({ dir: join(this.#base, 'uids'), uids: options.uids });
  }

  /**
   * Called before the job's first process. Kills and removes the leftovers of an earlier attempt.
   */
  async prepare(job: ExecutorJob): Promise<AssignedUser> {
    const { spec, folder } = job;
    const area = areaOf(job);
    if (spec.user) {
      const account = hostAccount(spec.user, folder.home);
      await makeArea(area, account);
      return { account, isOwn: false, files: this.#files(job, account) };
    }
    const uid = await this.#claims.claim({ folder: folder.path, area });
    await endProcessesOf(uid);
    const account: JobAccount = {
      username: `dstack-${uid}`,
      uid,
      gid: uid,
      home: folder.home,
      shell: existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh',
      groups: deviceGroups(job.gpus),
    };
    await makeArea(area, account);
    return { account, isOwn: true, files: this.#files(job, account) };
  }

  /**
   * Kills the job's remaining processes, removes its files and releases its user id. Repeatable.
   * Rejects while something is left; the id then stays reserved.
   */
  async release(job: ExecutorJob): Promise<void> {
    const { path } = job.folder;
    const uid = await this.#claims.find(path);
    if (uid !== null) await endProcessesOf(uid);
    await removeArea(areaOf(job), this.#base);
    if (uid !== null) await this.#claims.release(path);
  }

  /** Removes the leftovers of jobs without a record of an agent, in any installation. */
  async sweep(): Promise<void> {
    await this.#claims.sweep();
  }

  #files({ spec, folder }: ExecutorJob, account: JobAccount): OwnFiles {
    const [passwd, group] = [join(folder.path, 'passwd'), join(folder.path, 'group')];
    const { username, uid, gid, home, shell } = account;
    const isNew = account.groups != null;
    const user = `${username}:x:${uid}:${gid}:dstack job:${home}:${shell ?? '/bin/sh'}\n`;
    writeList(passwd, '/etc/passwd', isNew ? user : '');
    writeList(group, '/etc/group', isNew ? `${username}:x:${gid}:\n` : '');
    return {
      ...{ area: areaOf({ folder }), passwd, group },
      shmBytes: spec.shm_size_bytes,
      programs: programFolders(),
    };
  }
}

/** Kills until no process is left. */
async function endProcessesOf(uid: number): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    if (!processesByUser().has(uid)) return;
    await killAllOf(uid);
    await delay(ROUND_MS);
  }
  throw new Error(`processes of the user ${uid} do not end`);
}

/**
 * The killing process runs as that user, so that one call kills all of its processes and none can
 * fork.
 */
async function killAllOf(uid: number): Promise<void> {
  const as = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'];
  const child = spawn('setpriv', [...as, '/bin/sh', '-c', 'kill -KILL -1'], { stdio: 'ignore' });
  await once(child, 'close');
}

function areaOf({ folder }: Pick<ExecutorJob, 'folder'>): string {
  if (folder.area === null) throw new Error('the job has no area of its own');
  return folder.area;
}

/** A copy of a list of the host with one more line, readable for all processes of the job. */
function writeList(path: string, original: string, line: string): void {
  const text = existsSync(original) ? readFileSync(original, 'utf8') : '';
  const lines = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  writeFileSync(path, lines + line);
  chmodSync(path, 0o644);
}
