/** Who may use the services of a project: its members, and global admins. */
import { hash } from 'node:crypto';
import { ApiError, accessDenied, type Endpoint, endpoints } from '@dstack/contract/api';
import type { Admit, ServiceCaller } from '@dstack/proxy';
import { notAdmitted, tooManySignIns } from '@dstack/proxy';
import type { ServiceSessionProof } from '@dstack/store';
import type { AccessWatch, AdmittedCaller } from '../../access/access-watch.ts';
import { type IdentityDeps, identifyCaller } from '../identity.ts';
import { tokenOnly } from '../sessions/credentials.ts';
import { type SignInGuard, TooManySignIns } from '../sign-in-guard.ts';

/** A grant is used for this many milliseconds without another check, unless access has changed. */
const TTL_MS = 5000;

const MAX_REMEMBERED = 10_000;

export interface AdmissionDeps extends Omit<IdentityDeps, 'lookUp'> {
  readonly access: AccessWatch;
  readonly signIns: Pick<SignInGuard, 'from'>;
}

interface ServiceUser extends AdmittedCaller {
  readonly name: string;
  readonly services: readonly string[] | null;
}

/** Rejects with `ProxyRefusal` 403. A public project does not make its services public. */
export function admission(deps: AdmissionDeps): Admit {
  const remembered = new Map<string, Grant>();
  const forget = (key: string, grant: Grant) => {
    if (remembered.get(key) === grant) remembered.delete(key);
    grant.forget();
  };
  return async (project, request, onRevoked, session = null) => {
    const method = request.method ?? 'GET';
    const authorization = session === null ? request.headers.authorization : undefined;
    const now = deps.now() / 1000;
    const key = hash(
      'sha256',
      `${project}\n${method}\n${proofText(authorization, session)}`,
      'base64',
    );
    const known = remembered.get(key);
    if (known && now < known.until) return { ...known.user, release: known.hold(onRevoked) };
    if (known) forget(key, known);
    const grant = new Grant(now + TTL_MS);
    // Held before the caller is identified, so that no change is missed in between.
    const release = grant.hold(onRevoked);
    try {
      const identity = { ...deps, lookUp: deps.signIns.from(request) };
      const identifyUser = () => serviceUser(identity, project, { method, authorization, session });
      const onChange = () => forget(key, grant);
      const admitted = await deps.access.admit(identifyUser, () => grant.revoke(), onChange);
      grant.given(admitted.caller, admitted.release);
    } catch (error) {
      throw refusedAdmission(project, error);
    }
    if (remembered.size >= MAX_REMEMBERED) {
      for (const [old, one] of remembered) forget(old, one);
    }
    if (!grant.isForgotten) remembered.set(key, grant);
    return { ...grant.user, release };
  };
}

/** The error for the caller of a service. */
export function refusedAdmission(project: string, error: unknown): unknown {
  if (error instanceof ApiError) return notAdmitted(project, error);
  return error instanceof TooManySignIns ? tooManySignIns(error) : error;
}

/** A session precedes the header. */
export interface ServiceCredentials {
  readonly method: string;
  readonly authorization: string | undefined;
  readonly session?: ServiceSessionProof | null;
}

/** Distinguishes callers. */
export function proofText(
  authorization: string | null | undefined,
  session: ServiceSessionProof | null,
): string {
  return session === null ? `${authorization}` : JSON.stringify([session.runId, session.secrets]);
}

/** Throws `ApiError`. */
export async function serviceUser(
  deps: IdentityDeps,
  project: string,
  { method, authorization, session = null }: ServiceCredentials,
): Promise<ServiceUser> {
  const endpoint: Pick<Endpoint, 'permission' | 'method' | 'path'> = {
    permission: 'project_member',
    method: method as Endpoint['method'],
    path: endpoints['proxy.service'].path,
  };
  const found = await identifyCaller(
    deps,
    endpoint,
    { ...tokenOnly(authorization), atService: session },
    project,
  );
  if (!found.user || !found.project) throw accessDenied();
  const { id: userId, name } = found.user;
  const services = found.token?.services ?? null;
  return { userId, name, services, projectId: found.project.id, expiresAt: found.expiresAt };
}

type GrantedUser = Pick<ServiceCaller, 'name' | 'services' | 'account'>;

/** The admission of one member for some seconds, with the requests that it admitted. */
class Grant {
  /** Milliseconds. */
  readonly until: number;
  readonly #open = new Set<() => void>();
  #user: GrantedUser = { name: '', services: [], account: null };
  #release: () => void = () => {};
  #isForgotten = false;

  constructor(until: number) {
    this.until = until;
  }

  get isForgotten(): boolean {
    return this.#isForgotten;
  }

  given({ name, services, userId, projectId }: ServiceUser, release: () => void): void {
    const account = projectId === null ? null : { userId, projectId };
    this.#user = { name, services, account };
    this.#release = release;
  }

  get user(): GrantedUser {
    return this.#user;
  }

  /** Calls `onRevoked` if the access is revoked before the returned function is called. */
  hold(onRevoked: () => void): () => void {
    // A separate function for each call: two requests may pass the same `onRevoked`.
    const request = () => onRevoked();
    this.#open.add(request);
    return () => {
      this.#open.delete(request);
      this.#releaseUnused();
    };
  }

  /** Admits no further requests; those that are open stay watched. */
  forget(): void {
    this.#isForgotten = true;
    this.#releaseUnused();
  }

  revoke(): void {
    const open = [...this.#open];
    this.#open.clear();
    for (const onRevoked of open) onRevoked();
  }

  #releaseUnused(): void {
    if (this.#isForgotten && this.#open.size === 0) this.#release();
  }
}
