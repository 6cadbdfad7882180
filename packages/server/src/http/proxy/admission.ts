/** Who may use the services of a project: its members, and global admins. */
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ApiError, endpoints } from '@dstack/contract/api';
import { notAdmitted } from '../../proxy/refusal.ts';
import { type IdentityDeps, identify } from '../identity.ts';

/** A member that was let in is not looked at again for so long (ms): nor is it let out sooner. */
const TTL_MS = 5000;

const MAX_REMEMBERED = 10_000;

/** Rejects with `ProxyRefusal` 403. That a project is public lets nobody into its services. */
export function admission(deps: IdentityDeps) {
  const admitted = new Map<string, number>();
  return async (project: string, request: IncomingMessage): Promise<void> => {
    const { authorization } = request.headers;
    const now = deps.now() / 1000;
    const key = hash('sha256', `${project}\n${request.method}\n${authorization}`, 'base64');
    const until = admitted.get(key);
    if (until !== undefined && now < until) return;
    const { path } = endpoints['proxy.service'];
    const endpoint = {
      permission: 'project_member',
      method: request.method ?? 'GET',
      path,
    } as const;
    try {
      await identify(deps, endpoint as never, authorization, project);
    } catch (error) {
      admitted.delete(key);
      if (error instanceof ApiError) throw notAdmitted(project, error);
      throw error;
    }
    admitted.set(key, now + TTL_MS);
    if (admitted.size > MAX_REMEMBERED) admitted.clear();
  };
}
