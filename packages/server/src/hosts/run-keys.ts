import { FORWARDS_ONLY } from '@dstack/contract/agent';
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

/** Public keys with which the gateway of a service reaches its replicas on other hosts; they open no session. */
export async function gatewayKeysOf(
  { gateways }: Pick<Store, 'gateways'>,
  { gatewayId }: Pick<RunRecord, 'gatewayId'>,
): Promise<string[]> {
  if (gatewayId === null) return [];
  const replicas = await gateways.replicas(gatewayId);
  const living = replicas.filter(({ deleted, sshPublicKey }) => !deleted && sshPublicKey !== '');
  return [...new Set(living.map(({ sshPublicKey }) => `${FORWARDS_ONLY}${sshPublicKey}`))];
}

/** All keys that the agent of a job lets in. */
export async function keysForAgent(
  store: Pick<Store, 'users' | 'projects' | 'gateways'>,
  run: Pick<RunRecord, 'userId' | 'projectId' | 'spec' | 'gatewayId'>,
): Promise<string[]> {
  const [users, gateways] = await Promise.all([keysOfRun(store, run), gatewayKeysOf(store, run)]);
  return [...users, ...gateways];
}
