import { readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where agents on a server host record the user id of each job, and the place of its files. */
const CLAIMS = '/var/lib/dstack-jobs/uids';

export interface ClaimedUser {
  readonly uid: number;
  /** The files of the job with this user id. */
  readonly area: string;
}

/** User ids assigned to jobs of the installation in this home. */
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

/** Removes the records and files that a killed agent has left behind. */
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
    // No server of this computer has run a job as root.
    return [];
  }
}
