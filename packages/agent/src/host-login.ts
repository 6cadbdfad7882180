import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { OpenJobAccess } from './jobs/job-access.ts';
import type { Logger } from './log.ts';

/** Ends the lines that are ours; the job's id follows. */
const MARK = ' dstack:';

/**
 * Lets users of a job jump through the host's own sshd to the job's port, and nowhere else: their
 * keys are in the login user's `authorized_keys` while the job's access is open. Entries left by an
 * agent that died go when the next one starts.
 */
export function withHostLogin(open: OpenJobAccess, path: string, log: Logger): OpenJobAccess {
  const keys = new AuthorizedKeys(path);
  attempt(log, () => keys.replace(() => false, []));
  return async (options) => {
    const access = await open(options);
    if (access === null) return null;
    const { id, authorized_keys } = options.spec;
    const ours = (line: string) => line.endsWith(`${MARK}${id}`);
    const lines = authorized_keys.user.flatMap((key) => entry(key, access.port, id));
    attempt(log, () => keys.replace((line) => !ours(line), lines));
    return {
      port: access.port,
      lastActivity: () => access.lastActivity(),
      close: async () => {
        attempt(log, () => keys.replace((line) => !ours(line), []));
        await access.close();
      },
    };
  };
}

/** Only type and blob of a key are taken over: whatever else a user wrote there could be an option. */
function entry(key: string, port: number, jobId: string): string[] {
  const [type, blob] = key.trim().split(/\s+/);
  if (!type || !blob || !/^[a-z0-9@.-]+$/.test(type) || !/^[A-Za-z0-9+/]+=*$/.test(blob)) return [];
  const targets = ['localhost', '127.0.0.1'].map((host) => `permitopen="${host}:${port}"`);
  const options = ['restrict', 'port-forwarding', ...targets, 'command="/bin/false"'];
  return [`${options.join(',')} ${type} ${blob}${MARK}${jobId}`];
}

/** Without it users cannot attach through the host, but their jobs run. */
function attempt(log: Logger, work: () => void): void {
  try {
    work();
  } catch (error) {
    log.info('authorized keys of the host not written', { error: String(error) });
  }
}

class AuthorizedKeys {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Keeps all lines that are not ours, those of ours that `keep` says, and adds some. */
  replace(keep: (line: string) => boolean, added: readonly string[]): void {
    const text = existsSync(this.#path) ? readFileSync(this.#path, 'utf8') : '';
    const lines = text
      .split('\n')
      .filter((line, index, all) => line !== '' || index < all.length - 1);
    const kept = lines.filter((line) => !isOurs(line) || keep(line));
    if (added.length === 0 && kept.length === lines.length) return;
    this.#write(`${[...kept, ...added].join('\n')}\n`);
  }

  /** Owner and rights stay those of the file, or of the home it is made in. */
  #write(text: string): void {
    const dir = dirname(this.#path);
    const home = statSync(existsSync(dir) ? dir : dirname(dir));
    if (!existsSync(dir)) {
      mkdirSync(dir, { mode: 0o700 });
      chownSync(dir, home.uid, home.gid);
    }
    const { uid, gid, mode } = existsSync(this.#path)
      ? statSync(this.#path)
      : { uid: home.uid, gid: home.gid, mode: 0o600 };
    const part = `${this.#path}.dstack`;
    writeFileSync(part, text, { mode: 0o600 });
    chownSync(part, uid, gid);
    chmodSync(part, mode & 0o777);
    renameSync(part, this.#path);
  }
}

const isOurs = (line: string): boolean => / dstack:[0-9a-f-]{36}$/.test(line);
