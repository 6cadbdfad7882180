import type { IncomingMessage } from 'node:http';
import type { CallerAdmission } from '../callers/caller-admission.ts';
import type { ClientConnection } from '../callers/callers.ts';
import { withoutParameters } from '../head/credential-places.ts';
import type { Outages } from '../refusals/outages.ts';
import { serviceNotFound } from '../refusals/refusal.ts';
import type { ServiceRoutes } from '../routes/service-routes.ts';
import type { ServiceTarget } from '../routes/service-target.ts';
import { type AdmittedRequest, checkRequest } from './admitted-request.ts';

export interface RequestAdmissionOptions {
  readonly routes: Pick<ServiceRoutes, 'find'>;
  readonly outages: Pick<Outages, 'find' | 'noReplica'>;
  readonly callers: Pick<CallerAdmission, 'admit' | 'ownValues'>;
}

/** Which requests are for an existing service that may answer, and are of callers who may use it. */
export class RequestAdmission {
  readonly #options: RequestAdmissionOptions;

  constructor(options: RequestAdmissionOptions) {
    this.#options = options;
  }

  /** See `ServiceProxy.admit`. */
  async admit(
    target: ServiceTarget,
    request: IncomingMessage,
    client: ClientConnection,
  ): Promise<AdmittedRequest> {
    const { routes, outages, callers } = this.#options;
    const route = await routes.find(target.project, target.run);
    const service = route ?? (await outages.find(target.project, target.run));
    if (service === null) {
      throw serviceNotFound({ projectName: target.project, runName: target.run });
    }
    const mayAnswer = route !== null && (route.replicas.length > 0 || route.mayBeEmpty);
    const { origin } = target;
    if (route !== null && origin !== undefined && origin.runId !== route.runId) {
      throw serviceNotFound(service);
    }
    const proof = { request, session: origin?.session ?? null };
    const arrival = { service, mayAnswer, proof, client };
    const caller = service.auth ? await callers.admit(arrival) : null;
    if (!mayAnswer) throw await outages.noReplica(service, service.auth);
    checkRequest(route, target, request);
    const ownValues = await callers.ownValues(request, target.rest, caller);
    const rest = withoutParameters(target.rest, ownValues);
    return { route, target: { ...target, rest }, caller, ownValues };
  }
}
