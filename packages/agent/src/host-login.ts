import type { HostShellKeys } from '@dstack/contract/agent';
import { AuthorizedKeysFile } from './authorized-keys-file.ts';
import type { OpenJobAccess } from './jobs/job-access.ts';
import type { Logger } from './log.ts';

/** Ends the lines that are ours: the ids of the jobs, or the names of the users, follow. */
const JOBS = ' dstack:';
const SHELL = ' dstack-shell:';
const OURS = / dstack:[0-9a-f-]{36}(,[0-9a-f-]{36})*$| dstack-shell:[\w-]+(,[\w-]+)*$/;

/** Whoever asks for a shell of the host itself; no character that a shell or sshd would take up. */
const ABOUT =
  'This key opens the jobs of its owner, no shell on their host: ssh to the run itself.';
const INSTEAD_OF_SHELL = `/bin/sh -c 'echo ${ABOUT} >&2; exit 1'`;

/** A job whose users may come in. */
interface OpenJob {
  readonly keys: readonly string[];
  readonly port: number;
}

/** Time between two tries to take keys away whose time is over, in milliseconds. */
const RETRY_MS = 60_000;
/** What a timer takes at most. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Who comes in through the host's own sshd, by lines in the login user's `authorized_keys`: users of
 * jobs to the jobs' ports and nowhere else, while the job's access is open; those whom the server
 * names, to a shell of the host. Lines left by an agent that died go when the next one starts, and the
 * server names its users anew.
 */
export class HostLogin {
  readonly #file: AuthorizedKeysFile;
  readonly #log: Logger;
  readonly #jobs = new Map<string, OpenJob>();
  #shells: HostShellKeys['keys'] = [];
  #expiry: NodeJS.Timeout | undefined;

  constructor(path: string, log: Logger) {
    this.#file = new AuthorizedKeysFile(path, (line) => OURS.test(line));
    this.#log = log;
    this.#attempt();
  }

  /** Access to jobs that is also open through the host. */
  withJobs(open: OpenJobAccess): OpenJobAccess {
    return async (options) => {
      const access = await open(options);
      if (access === null) return null;
      const { id, authorized_keys } = options.spec;
      const authorize = (keys: readonly string[]) => {
        this.#jobs.set(id, { keys, port: access.port });
        this.#attempt();
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
          this.#jobs.delete(id);
          this.#attempt();
          await access.close();
        },
      };
    };
  }

  /**
   * From now on these keys open a shell, and no others, until a server names them anew or their time
   * is over: a server that is gone for good can take nothing back. Throws when they are not written.
   */
  openShells({ keys, valid_for: seconds }: HostShellKeys): void {
    this.#shells = keys;
    clearTimeout(this.#expiry);
    if (keys.length > 0) this.#expireIn(seconds * 1000);
    this.#write();
  }

  close(): void {
    clearTimeout(this.#expiry);
  }

  #expireIn(ms: number): void {
    this.#expiry = setTimeout(
      () => {
        this.#shells = [];
        if (this.#attempt())
          this.#log.info('no server for long: no key opens a shell any more', {});
        else this.#expireIn(RETRY_MS);
      },
      Math.min(ms, LONGEST_MS),
    ).unref();
  }

  #write(): void {
    this.#file.replaceOurs(entries(this.#jobs, this.#shells));
  }

  /** Without it users cannot attach through the host, but their jobs run. */
  #attempt(): boolean {
    try {
      this.#write();
      return true;
    } catch (error) {
      this.#log.info('authorized keys of the host not written', { error: String(error) });
      return false;
    }
  }
}

interface Entry {
  readonly ids: string[];
  readonly ports: number[];
  readonly users: string[];
}

/**
 * One line per key for all that it opens: sshd takes the first line with a key and looks at no other,
 * so a second line would let nobody in.
 */
function entries(
  jobs: ReadonlyMap<string, OpenJob>,
  shells: HostShellKeys['keys'],
): readonly string[] {
  const byKey = new Map<string, Entry>();
  const entryOf = (key: string): Entry => {
    const entry = byKey.get(key) ?? { ids: [], ports: [], users: [] };
    byKey.set(key, entry);
    return entry;
  };
  for (const [id, { keys, port }] of jobs) {
    for (const key of new Set(keys.flatMap(bareKey))) {
      const { ids, ports } = entryOf(key);
      ids.push(id);
      ports.push(port);
    }
  }
  for (const { user, key } of shells) {
    for (const bare of bareKey(key)) {
      const { users } = entryOf(bare);
      if (!users.includes(user)) users.push(user);
    }
  }
  return [...byKey].map(([key, entry]) => lineOf(key, entry));
}

/** Whoever has a shell needs no way to a job's port beside it. */
function lineOf(key: string, { ids, ports, users }: Entry): string {
  if (users.length > 0) return `${key}${SHELL}${users.join(',')}`;
  const targets = ports.flatMap((port) =>
    ['localhost', '127.0.0.1'].map((host) => `permitopen="${host}:${port}"`),
  );
  const options = ['restrict', 'port-forwarding', ...targets, `command="${INSTEAD_OF_SHELL}"`];
  return `${options.join(',')} ${key}${JOBS}${ids.join(',')}`;
}

/** Only type and blob of a key are taken over: whatever else a user wrote there could be an option. */
function bareKey(key: string): string[] {
  const [type, blob] = key.trim().split(/\s+/);
  if (!type || !blob || !/^[a-z0-9@.-]+$/.test(type) || !/^[A-Za-z0-9+/]+=*$/.test(blob)) return [];
  return [`${type} ${blob}`];
}
