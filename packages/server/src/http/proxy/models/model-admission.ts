/** Who may send requests to the models of a project. */
import type { IncomingMessage } from 'node:http';
import { ApiError, accessDenied, type Endpoint } from '@dstack/contract/api';
import type { AccessWatch } from '../../../access/access-watch.ts';
import { notAdmitted, tooManySignIns } from '../../../proxy/refusal.ts';
import { identifyCaller } from '../../identity.ts';
import type { HttpDeps } from '../../ports.ts';
import type { Credentials } from '../../sessions/credentials.ts';
import { TooManySignIns } from '../../sign-in-guard.ts';
import type { ModelUser } from './model-endpoint.ts';

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
) => Promise<{ readonly caller: ModelUser; readonly release: () => void }>;

export interface ModelAdmissionDeps
  extends Pick<HttpDeps, 'store' | 'settings' | 'context' | 'signIns'> {
  readonly access: Pick<AccessWatch, 'admit'>;
}

export function modelAdmission(deps: ModelAdmissionDeps): AdmitModelUser {
  return async (call, onRevoked) => {
    try {
      return await deps.access.admit(() => modelUser(deps, call), onRevoked);
    } catch (error) {
      if (error instanceof TooManySignIns) throw tooManySignIns(error);
      if (!(error instanceof ApiError)) throw error;
      throw notAdmitted(call.project, error);
    }
  };
}

/** Throws `ApiError`. */
async function modelUser(
  { store, settings, context, signIns }: ModelAdmissionDeps,
  { endpoint, project: name, request, credentials }: ModelCall,
): Promise<ModelUser> {
  const parts = {
    store,
    now: () => context().now,
    lookUp: signIns.from(request),
    sshProxyToken: settings.sshProxyToken,
  };
  const { user, project, expiresAt } = await identifyCaller(parts, endpoint, credentials, name);
  if (!user || !project) throw accessDenied();
  return { name: user.name, userId: user.id, projectId: project.id, expiresAt, project };
}
