import { FORWARDS_ONLY } from '@dstack/contract/agent';
import { findKey, type PublicKey, parsePublicKey } from '@dstack/ssh';

/**
 * The owner of a connection's key, which decides its rights:
 *
 * | owner   | sessions | dials | listens, sockets | output | counts as a user's activity |
 * | ------- | -------- | ----- | ---------------- | ------ | --------------------------- |
 * | user    | yes      | yes   | yes              | yes    | yes                         |
 * | project | no       | yes   | no               | yes    | no (the server, gateways)   |
 * | job     | yes      | no    | no               | no     | no (the job's other nodes)  |
 *
 * Only `node-gateway.ts` accepts keys of nodes, and only the job's own port all others.
 */
export type KeyOwner = 'user' | 'project' | 'job';

export interface KeyRights {
  readonly sessions: boolean;
  /** May connect to ports, and read the job's output. */
  readonly forwards: boolean;
  /** May listen on ports and sockets of the job (`-R`, `-A`), and use its unix sockets. */
  readonly listens: boolean;
  readonly activity: boolean;
}

export const RIGHTS: Readonly<Record<KeyOwner, KeyRights>> = {
  user: { sessions: true, forwards: true, listens: true, activity: true },
  project: { sessions: false, forwards: true, listens: false, activity: false },
  job: { sessions: true, forwards: false, listens: false, activity: false },
};

/**
 * Lines as in `authorized_keys`. Options before the key are not supported, except `FORWARDS_ONLY`
 * before a user's: it gives the rights of `project`.
 */
export type AuthorizedKeyLines = Readonly<Record<KeyOwner, readonly string[]>>;

interface AuthorizedKey extends PublicKey {
  readonly owner: KeyOwner;
}

/** A client that has proved to hold one of the job's keys. */
export interface SshIdentity {
  readonly owner: KeyOwner;
  /** The requested login name. Every name is accepted; a session decides what it means. */
  readonly login: string;
}

/** The keys that may log into a job. */
export class AuthorizedKeys {
  readonly #keys: readonly AuthorizedKey[];

  /** Calls `unusable` for each line without a supported key. */
  constructor(lines: AuthorizedKeyLines, unusable: (owner: KeyOwner, reason: string) => void) {
    const isLimited = (line: string) => line.startsWith(FORWARDS_ONLY);
    const limited = lines.user.filter(isLimited).map((line) => line.slice(FORWARDS_ONLY.length));
    // A key that is in several lists has the rights of the first.
    const lists: [KeyOwner, readonly string[]][] = [
      ['user', lines.user.filter((line) => !isLimited(line))],
      ['project', [...lines.project, ...limited]],
      ['job', lines.job],
    ];
    this.#keys = lists.flatMap(([owner, list]) =>
      list.flatMap((line) => {
        const parsed = parsePublicKey(line);
        if (!(parsed instanceof Error)) return [{ owner, ...parsed }];
        unusable(owner, parsed.message);
        return [];
      }),
    );
  }

  /** Takes the same time for every key, in the list or not. */
  find(blob: Buffer): AuthorizedKey | null {
    return findKey(this.#keys, blob);
  }
}
