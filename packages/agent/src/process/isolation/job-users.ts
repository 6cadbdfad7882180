import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutorJob, JobAccount } from '../../jobs/executor.ts';
import { hostAccount } from '../accounts.ts';
import { deviceGroups } from '../device-groups.ts';
import { processesByUser } from '../process-users.ts';
import { makeArea, removeArea } from './job-area.ts';
import type { OwnFiles } from './namespace-steps.ts';
import { UidClaims, type UidRange } from './uid-claims.ts';

export interface JobUsersOptions {
  readonly uids: UidRange;
  /** Where the areas of this server's jobs are: `<base>/<server>`. */
  readonly homes: string;
}

/** A job's user, and what is made for it. */
export interface JobUser {
  readonly account: JobAccount;
  /** Whether nobody else has the account, so that all of its processes are the job's. */
  readonly isOwn: boolean;
  readonly files: OwnFiles;
}

const ROUNDS = 300;
const ROUND_MS = 10;

/**
 * Gives each process job a user of its own, whom nothing on the machine belongs to but the job's own
 * files: the kernel then keeps it from everything else.
 */
export class JobUsers {
  readonly #claims: UidClaims;
  readonly #base: string;

  constructor(options: JobUsersOptions) {
    this.#base = dirname(options.homes);
    this.#claims = new UidClaims({ dir: join(this.#base, 'uids'), uids: options.uids });
  }

  /** Before anything of the job runs. After an attempt that was cut short it begins anew. */
  async prepare(job: ExecutorJob): Promise<JobUser> {
    const { spec, folder } = job;
    const area = areaOf(job);
    if (spec.user) {
      const account = hostAccount(spec.user, folder.home);
      makeArea(area, account);
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
    makeArea(area, account);
    return { account, isOwn: true, files: this.#files(job, account) };
  }

  /**
   * Ends what is left of the job's processes, removes its files and gives its id back. Repeatable;
   * rejects when something of it stays, so that nobody else gets the id.
   */
  async release(job: ExecutorJob): Promise<void> {
    const { path } = job.folder;
    const uid = await this.#claims.find(path);
    if (uid !== null) await endProcessesOf(uid);
    removeArea(areaOf(job), this.#base);
    if (uid !== null) await this.#claims.release(path);
  }

  /** What jobs have left that no agent knows any more, of this installation or of others. */
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
    return { area: areaOf({ folder }), passwd, group, shmBytes: spec.shm_size_bytes };
  }
}

/** Kills until nothing is left. */
async function endProcessesOf(uid: number): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    if (!processesByUser().has(uid)) return;
    await killAllOf(uid);
    await delay(ROUND_MS);
  }
  throw new Error(`processes of the user ${uid} do not end`);
}

/** As that user: the kernel kills all of them at once, so that none can make others meanwhile. */
async function killAllOf(uid: number): Promise<void> {
  const as = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'];
  const child = spawn('setpriv', [...as, '/bin/sh', '-c', 'kill -KILL -1'], { stdio: 'ignore' });
  await once(child, 'close');
}

function areaOf({ folder }: Pick<ExecutorJob, 'folder'>): string {
  if (folder.area === null) throw new Error('the job has no area of its own');
  return folder.area;
}

/** A copy of one of the machine's lists with one more line, for everybody in the job to read. */
function writeList(path: string, original: string, line: string): void {
  const text = existsSync(original) ? readFileSync(original, 'utf8') : '';
  const lines = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  writeFileSync(path, lines + line);
  chmodSync(path, 0o644);
}
