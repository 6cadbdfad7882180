import { readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where agents on a server's machine record which job has which user id, and where its files are. */
const CLAIMS = '/var/lib/dstack-jobs/uids';

export interface ClaimedUser {
  readonly uid: number;
  /** The files of the job that has it. */
  readonly area: string;
}

/** Users that jobs of the installation in this home have. */
export function claimedUsers(home: string): ClaimedUser[] {
  return list(CLAIMS).flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const { folder, area } = JSON.parse(readFileSync(join(CLAIMS, name), 'utf8'));
      return String(folder).startsWith(`${home}/`) ? [{ uid: Number(name), area }] : [];
    } catch {
      // Just released.
      return [];
    }
  });
}

/** Removes what a killed agent has left. */
export function removeClaimedUsers(home: string): void {
  for (const { uid, area } of claimedUsers(home)) {
    rmSync(area, { recursive: true, force: true });
    try {
      rmdirSync(dirname(area));
    } catch {
      // It is missing, or other jobs of its server have files there.
    }
    rmSync(join(CLAIMS, String(uid)), { force: true });
  }
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    // No server of this machine has run a job as root.
    return [];
  }
}
