/** Who may send requests to the models of a project. */
import type { IncomingMessage } from 'node:http';
import { ApiError, accessDenied, type Endpoint } from '@dstack/contract/api';
import type { Id } from '@dstack/core';
import { type ModelUser, notAdmitted, tooManySignIns } from '@dstack/proxy';
import type { AccessWatch, AdmittedCaller } from '../../../access/access-watch.ts';
import type { Credentials } from '../../../callers/credentials.ts';
import { type IdentityDeps, identifyCaller } from '../../../callers/identity.ts';
import { TooManySignIns } from '../../../callers/sign-in-guard.ts';
import type { HttpDeps } from '../../ports.ts';
import { modelToken } from '../../service-tokens/budget.ts';

export interface ModelCall {
  readonly endpoint: Endpoint;
  readonly project: string;
  readonly request: IncomingMessage;
  readonly credentials: Credentials;
}

/**
 * Admits the caller, and calls `onRevoked` if their access is revoked before `release`. Rejects with
 * `ProxyRefusal`.
 */
export type AdmitModelUser = (
  call: ModelCall,
  onRevoked: () => void,
) => Promise<{ readonly caller: AdmittedMember; readonly release: () => void }>;

export interface ModelAdmissionDeps
  extends Pick<HttpDeps, 'store' | 'settings' | 'context' | 'signIns'> {
  readonly access: Pick<AccessWatch, 'admit'>;
}

export function modelAdmission(deps: ModelAdmissionDeps): AdmitModelUser {
  return async (call, onRevoked) => {
    try {
      return await deps.access.admit(() => modelUser(deps, call), onRevoked);
    } catch (error) {
      throw refusedAdmission(call.project, error);
    }
  };
}

/** Throws `ApiError`. */
async function modelUser(
  { store, settings, context, signIns }: ModelAdmissionDeps,
  { endpoint, project: name, request, credentials }: ModelCall,
): Promise<AdmittedMember> {
  const now = () => context().now;
  const lookUp = signIns.from(request);
  const parts = { store, now, lookUp, sshProxyToken: settings.sshProxyToken };
  return await memberOf(parts, endpoint, credentials, name);
}

/** A member of a project. */
export interface AdmittedMember extends AdmittedCaller, ModelUser {
  readonly projectId: Id;
  /** See `ServiceCaller`. */
  readonly services: readonly string[] | null;
}

/** A caller who may use the models, or services, of the project. Throws `ApiError`. */
export async function memberOf(
  deps: IdentityDeps,
  endpoint: Pick<Endpoint, 'permission' | 'method' | 'path'>,
  credentials: Credentials,
  name: string,
): Promise<AdmittedMember> {
  const found = await identifyCaller(deps, endpoint, credentials, name);
  const { user, project, expiresAt } = found;
  if (!user || !project) throw accessDenied();
  const token = await modelToken(deps.store, found.token, deps.now());
  const services = found.token?.services ?? null;
  const { name: userName, id: userId } = user;
  const named = { name: userName, userId, projectId: project.id, projectName: project.name };
  return { ...named, expiresAt, token, services };
}

/** The error for the caller of a service. */
export function refusedAdmission(project: string, error: unknown): unknown {
  if (error instanceof ApiError) return notAdmitted(project, error);
  return error instanceof TooManySignIns ? tooManySignIns(error) : error;
}
