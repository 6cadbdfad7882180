import type { RunRecord } from '@dstack/core';
import type { Store } from '@dstack/store';

/**
 * Public keys with which a run's owner may log into its jobs, one line each: the one that the run was
 * submitted with, the owner's pair, and those that the owner has registered. None while the owner is
 * not active or not a member of the project.
 */
export async function keysOfRun(
  store: Pick<Store, 'users' | 'projects'>,
  run: Pick<RunRecord, 'userId' | 'projectId' | 'spec'>,
): Promise<string[]> {
  const [user, role, registered] = await Promise.all([
    store.users.byId(run.userId),
    store.projects.role(run.projectId, run.userId),
    store.users.publicKeys(run.userId),
  ]);
  if (user === null || user.deleted || !user.active) return [];
  if (role === null && user.globalRole !== 'admin') return [];
  const keys = [run.spec.ssh_key_pub, user.sshPublicKey, ...registered.map(({ key }) => key)];
  return [...new Set(keys.flatMap((key) => (key ? [key.trim()] : [])))];
}
