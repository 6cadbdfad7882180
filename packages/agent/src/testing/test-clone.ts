import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { RepoForAgent } from '@dstack/contract/agent';
import { CloneGuard } from '../files/clone-guard.ts';
import { type ClonePlace, makeClonePlace, usesSsh } from '../files/clone-place.ts';
import { cloneRepo } from '../files/git-clone.ts';

export function repoToClone(more: Partial<RepoForAgent>): RepoForAgent {
  return {
    ...{ type: 'remote', dir: '.', exists_action: null, clone_url: null },
    ...{ branch: null, hash: null, single_branch: true, config_name: null, config_email: null },
    ...{ private_key: null, oauth_token: null, code_sha256: null, limits: null, skip_lfs: null },
    ...more,
  };
}

/** Clones as for a job in a container: by a user of its own, away from the addresses of the host. */
export async function guardedClone<T>(
  stateDir: string,
  more: Partial<RepoForAgent>,
  look: (place: ClonePlace) => T,
): Promise<T> {
  const repo = repoToClone(more);
  const jobId = randomUUID();
  const scratch = join(stateDir, 'jobs', jobId, 'scratch');
  const place = await makeClonePlace({
    ...{ jobId, scratch, stateDir },
    needsName: usesSsh(repo),
  });
  const guard = await CloneGuard.open(place.guard);
  try {
    await cloneRepo({ repo, code: null, ...place, signal: new AbortController().signal, guard });
    return look(place);
  } finally {
    guard.close();
    await place.remove();
  }
}
