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

/** Ends the lines that are ours; the ids of the jobs follow. */
const MARK = ' dstack:';

/** Whoever asks for a shell of the host itself; no character that a shell or sshd would take up. */
const ABOUT =
  'This key opens the jobs of its owner, no shell on their host: ssh to the run itself.';
const INSTEAD_OF_SHELL = `/bin/sh -c 'echo ${ABOUT} >&2; exit 1'`;

/** A job whose users may come in. */
interface OpenJob {
  readonly keys: readonly string[];
  readonly port: number;
}

/**
 * Lets users of a job jump through the host's own sshd to the job's port, and nowhere else: their
 * keys are in the login user's `authorized_keys` while the job's access is open. Entries left by an
 * agent that died go when the next one starts.
 */
export function withHostLogin(open: OpenJobAccess, path: string, log: Logger): OpenJobAccess {
  const file = new AuthorizedKeys(path);
  const jobs = new Map<string, OpenJob>();
  const write = () => attempt(log, () => file.replaceOurs(entries(jobs)));
  write();
  return async (options) => {
    const access = await open(options);
    if (access === null) return null;
    const { id, authorized_keys } = options.spec;
    const authorize = (keys: readonly string[]) => {
      jobs.set(id, { keys, port: access.port });
      write();
    };
    authorize(authorized_keys.user);
    return {
      port: access.port,
      lastActivity: () => access.lastActivity(),
      authorizeUsers: (keys) => {
        access.authorizeUsers(keys);
        authorize(keys);
      },
      ended: () => access.ended(),
      close: async () => {
        jobs.delete(id);
        write();
        await access.close();
      },
    };
  };
}

/**
 * One line per key for all jobs that it opens: sshd takes the first line with a key and looks at no
 * other, so a second line would let nobody in.
 */
function entries(jobs: ReadonlyMap<string, OpenJob>): string[] {
  const byKey = new Map<string, { ids: string[]; ports: number[] }>();
  for (const [id, { keys, port }] of jobs) {
    for (const key of new Set(keys.flatMap(bareKey))) {
      const entry = byKey.get(key) ?? { ids: [], ports: [] };
      entry.ids.push(id);
      entry.ports.push(port);
      byKey.set(key, entry);
    }
  }
  return [...byKey].map(([key, { ids, ports }]) => {
    const targets = ports.flatMap((port) =>
      ['localhost', '127.0.0.1'].map((host) => `permitopen="${host}:${port}"`),
    );
    const options = ['restrict', 'port-forwarding', ...targets, `command="${INSTEAD_OF_SHELL}"`];
    return `${options.join(',')} ${key}${MARK}${ids.join(',')}`;
  });
}

/** Only type and blob of a key are taken over: whatever else a user wrote there could be an option. */
function bareKey(key: string): string[] {
  const [type, blob] = key.trim().split(/\s+/);
  if (!type || !blob || !/^[a-z0-9@.-]+$/.test(type) || !/^[A-Za-z0-9+/]+=*$/.test(blob)) return [];
  return [`${type} ${blob}`];
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

  /** Keeps all lines that are not ours and puts these in place of those that are. */
  replaceOurs(added: readonly string[]): void {
    const text = existsSync(this.#path) ? readFileSync(this.#path, 'utf8') : '';
    const lines = text
      .split('\n')
      .filter((line, index, all) => line !== '' || index < all.length - 1);
    const kept = lines.filter((line) => !isOurs(line));
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

const isOurs = (line: string): boolean => / dstack:[0-9a-f-]{36}(,[0-9a-f-]{36})*$/.test(line);
