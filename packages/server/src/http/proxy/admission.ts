/** Who may use the services of a project: its members, and global admins. */
import { hash } from 'node:crypto';
import { ApiError, accessDenied, type Endpoint, endpoints } from '@dstack/contract/api';
import type { AccessWatch, Caller } from '../../access/access-watch.ts';
import type { Admit } from '../../proxy/callers.ts';
import { notAdmitted } from '../../proxy/refusal.ts';
import { type IdentityDeps, identify } from '../identity.ts';

/** How long a member that was let in is not looked at again unless something has changed, in ms. */
const TTL_MS = 5000;

const MAX_REMEMBERED = 10_000;

export interface AdmissionDeps extends IdentityDeps {
  readonly access: AccessWatch;
}

interface ServiceUser extends Caller {
  readonly name: string;
}

/** Rejects with `ProxyRefusal` 403. That a project is public lets nobody into its services. */
export function admission(deps: AdmissionDeps): Admit {
  const remembered = new Map<string, Grant>();
  const forget = (key: string, grant: Grant) => {
    if (remembered.get(key) === grant) remembered.delete(key);
    grant.forget();
  };
  return async (project, request, end) => {
    const method = request.method ?? 'GET';
    const { authorization } = request.headers;
    const now = deps.now() / 1000;
    const key = hash('sha256', `${project}\n${method}\n${authorization}`, 'base64');
    const known = remembered.get(key);
    if (known && now < known.until) return { name: known.name, leave: known.hold(end) };
    if (known) forget(key, known);
    const grant = new Grant(now + TTL_MS);
    // Before anything is known, so that no change falls in between.
    const leave = grant.hold(end);
    try {
      const look = () => serviceUser(deps, project, { method, authorization });
      const onChange = () => forget(key, grant);
      const { caller, release } = await deps.access.admit(look, () => grant.end(), onChange);
      grant.given(caller.name, release);
    } catch (error) {
      if (error instanceof ApiError) throw notAdmitted(project, error);
      throw error;
    }
    if (remembered.size >= MAX_REMEMBERED) {
      for (const [old, one] of remembered) forget(old, one);
    }
    if (!grant.isForgotten) remembered.set(key, grant);
    return { name: grant.name, leave };
  };
}

async function serviceUser(
  deps: IdentityDeps,
  project: string,
  { method, authorization }: { readonly method: string; readonly authorization?: string },
): Promise<ServiceUser> {
  const endpoint: Pick<Endpoint, 'permission' | 'method' | 'path'> = {
    permission: 'project_member',
    method: method as Endpoint['method'],
    path: endpoints['proxy.service'].path,
  };
  const found = await identify(deps, endpoint, authorization, project);
  if (!found.user || !found.project) throw accessDenied();
  const { id: userId, name } = found.user;
  return { userId, name, projectId: found.project.id, expiresAt: found.expiresAt };
}

/** What a member was given for a while, and what is open by it. */
class Grant {
  /** Milliseconds. */
  readonly until: number;
  readonly #visits = new Set<() => void>();
  #name = '';
  #release: () => void = () => {};
  #isForgotten = false;

  constructor(until: number) {
    this.until = until;
  }

  get isForgotten(): boolean {
    return this.#isForgotten;
  }

  given(name: string, release: () => void): void {
    this.#name = name;
    this.#release = release;
  }

  get name(): string {
    return this.#name;
  }

  /** Calls `end` if the access is taken away, until the function that it answers is called. */
  hold(end: () => void): () => void {
    // Not `end` itself: it may be the same function for two visits.
    const visit = () => end();
    this.#visits.add(visit);
    return () => {
      this.#visits.delete(visit);
      this.#releaseUnused();
    };
  }

  /** Nobody else comes in by it; who is in stays watched. */
  forget(): void {
    this.#isForgotten = true;
    this.#releaseUnused();
  }

  end(): void {
    const visits = [...this.#visits];
    this.#visits.clear();
    for (const end of visits) end();
  }

  #releaseUnused(): void {
    if (this.#isForgotten && this.#visits.size === 0) this.#release();
  }
}
