import { FORWARDS_ONLY, type HostShellKeys } from '@dstack/contract/agent';
import { AuthorizedKeysFile } from './authorized-keys-file.ts';
import type { EventLogger } from './host/log.ts';
import type { OpenJobAccess } from './jobs/job-access.ts';

/** Comments that mark the agent's lines, followed by the ids of jobs or the names of users. */
const JOBS = ' dstack:';
const SHELL = ' dstack-shell:';
const OURS = / dstack:[0-9a-f-]{36}(,[0-9a-f-]{36})*$| dstack-shell:[\w-]+(,[\w-]+)*$/;

/**
 * The message to a user who may not have a shell, without characters that a shell or sshd
 * interprets.
 */
const ABOUT =
  'This key opens the jobs of its owner, no shell on their host: ssh to the run itself.';
const INSTEAD_OF_SHELL = `/bin/sh -c 'echo ${ABOUT} >&2; exit 1'`;

/** A job whose users may log in. */
interface OpenJob {
  readonly keys: readonly string[];
  readonly port: number;
}

/** Time between two attempts to remove expired keys, in milliseconds. */
const RETRY_MS = 60_000;
/** Longest delay of a timer, in milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Grants access through the host's own sshd, by lines in the login user's `authorized_keys`: users
 * of jobs may connect only to the ports of these jobs, while the job's access is open; users that
 * the server names get a shell on the host. A starting agent removes all lines of its predecessor,
 * and the server sends its users again.
 */
export class HostLogin {
  readonly #file: AuthorizedKeysFile;
  readonly #log: EventLogger;
  readonly #jobs = new Map<string, OpenJob>();
  #shells: HostShellKeys['keys'] = [];
  #expiry: NodeJS.Timeout | undefined;

  constructor(path: string, log: EventLogger) {
    this.#file = new AuthorizedKeysFile(path, (line) => OURS.test(line));
    this.#log = log;
    this.#attempt();
  }

  /** Extends the access to jobs to connections through the host. */
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
   * Replaces the keys that open a shell. They expire unless the server sends them again, since a
   * server that is lost for good can revoke nothing. Throws if they cannot be written.
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
          this.#log.info('no server has renewed the keys for shells of this host: removed', {});
        else this.#expireIn(RETRY_MS);
      },
      Math.min(ms, LONGEST_MS),
    ).unref();
  }

  #write(): void {
    this.#file.replaceOurs(entries(this.#jobs, this.#shells));
  }

  /** A failure is only logged: users cannot attach through the host, but their jobs run. */
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

/** One line per key for everything that it opens: sshd uses only the first line with a key. */
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

/** A key that opens a shell needs no options for ports of jobs. */
function lineOf(key: string, { ids, ports, users }: Entry): string {
  if (users.length > 0) return `${key}${SHELL}${users.join(',')}`;
  const targets = ports.flatMap((port) =>
    ['localhost', '127.0.0.1'].map((host) => `permitopen="${host}:${port}"`),
  );
  const options = ['restrict', 'port-forwarding', ...targets, `command="${INSTEAD_OF_SHELL}"`];
  return `${options.join(',')} ${key}${JOBS}${ids.join(',')}`;
}

/** Only type and blob of a key: anything else in a user's line could be an option. Each gets our own. */
function bareKey(key: string): string[] {
  const line = key.startsWith(FORWARDS_ONLY) ? key.slice(FORWARDS_ONLY.length) : key;
  const [type, blob] = line.trim().split(/\s+/);
  if (!type || !blob || !/^[a-z0-9@.-]+$/.test(type) || !/^[A-Za-z0-9+/]+=*$/.test(blob)) return [];
  return [`${type} ${blob}`];
}
