import { timingSafeEqual } from 'node:crypto';
import ssh2, { type ParsedKey } from 'ssh2';
import { parseSecurityKey } from './security-key.ts';

/**
 * Whose key a connection showed, which decides what it may do:
 *
 * | owner   | sessions | dials | listens, sockets | output | counts as a user's activity |
 * | ------- | -------- | ----- | ---------------- | ------ | --------------------------- |
 * | user    | yes      | yes   | yes              | yes    | yes                         |
 * | project | no       | yes   | no               | yes    | no (the server, gateways)   |
 * | job     | yes      | no    | no               | no     | no (the job's other nodes)  |
 *
 * Keys of nodes are known to `node-gateway.ts` only, all others to the job's own port.
 */
export type KeyOwner = 'user' | 'project' | 'job';

export interface KeyRights {
  readonly sessions: boolean;
  /** Connections to ports, and the job's output. */
  readonly forwards: boolean;
  /** Ports and sockets of the job that lead to the client (`-R`, `-A`), and its unix sockets. */
  readonly listens: boolean;
  readonly activity: boolean;
}

export const RIGHTS: Readonly<Record<KeyOwner, KeyRights>> = {
  user: { sessions: true, forwards: true, listens: true, activity: true },
  project: { sessions: false, forwards: true, listens: false, activity: false },
  job: { sessions: true, forwards: false, listens: false, activity: false },
};

/** Lines as in `authorized_keys`; options before the key are not supported. */
export type AuthorizedKeyLines = Readonly<Record<KeyOwner, readonly string[]>>;

/** What authentication needs of a key. */
export type VerifyingKey = Pick<ParsedKey, 'getPublicSSH' | 'verify'>;

interface AuthorizedKey {
  readonly owner: KeyOwner;
  readonly key: VerifyingKey;
  readonly blob: Buffer;
}

/** The keys that may log into a job. */
export class AuthorizedKeys {
  readonly #keys: readonly AuthorizedKey[];

  /** Calls `unusable` for each line that is no supported key. */
  constructor(lines: AuthorizedKeyLines, unusable: (owner: KeyOwner, reason: string) => void) {
    // A key that is in several lists has the rights of the first.
    this.#keys = (['user', 'project', 'job'] as const).flatMap((owner) =>
      lines[owner].flatMap((line) => {
        const parsed = parseSecurityKey(line) ?? ssh2.utils.parseKey(line.trim());
        if (!(parsed instanceof Error))
          return [{ owner, key: parsed, blob: parsed.getPublicSSH() }];
        unusable(owner, parsed.message);
        return [];
      }),
    );
  }

  /** Takes the same time whatever key is shown, and wherever it is in the list. */
  find(blob: Buffer): { readonly owner: KeyOwner; readonly key: VerifyingKey } | null {
    let found: AuthorizedKey | null = null;
    for (const candidate of this.#keys) {
      const equal = candidate.blob.length === blob.length && timingSafeEqual(candidate.blob, blob);
      if (equal && !found) found = candidate;
    }
    return found;
  }
}
