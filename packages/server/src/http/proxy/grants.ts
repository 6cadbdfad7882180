import { type Endpoint, endpoints } from '@dstack/contract/api';
import type { AdmissionAsk, Granted, GrantedCaller } from '@dstack/proxy';
import type { AccessWatch } from '../../access/access-watch.ts';
import { tokenOnly } from '../../callers/credentials.ts';
import type { IdentityDeps } from '../../callers/identity.ts';
import type { SignInGuard } from '../../callers/sign-in-guard.ts';
import type { AnswerAsk } from '../../gateways/gateway-answers.ts';
import { memberOf, refusedAdmission } from './models/model-admission.ts';

export interface GrantsOptions extends Omit<IdentityDeps, 'lookUp'> {
  readonly access: Pick<AccessWatch, 'admit'>;
  readonly signIns: Pick<SignInGuard, 'fromAddress'>;
  /** To all workers. */
  readonly notify: (type: 'granted' | 'stale' | 'revoked', data: unknown) => void;
}

interface Known extends Granted {
  readonly release: () => void;
  /** Workers that have not forgotten it. */
  readonly holders: Set<string>;
}

/** The callers that workers have admitted: their access is watched for as long as a worker knows them. */
export class Grants {
  readonly #options: GrantsOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: GrantsOptions) {
    this.#options = options;
  }

  /** For workers that are connected later. */
  get all(): Granted[] {
    return [...this.#known.values()].map(({ ask, caller }) => ({ ask, caller }));
  }

  /** A worker has been sent all grants. */
  hold(workerId: string): void {
    for (const { holders } of this.#known.values()) holders.add(workerId);
  }

  /** Rejects with `ProxyRefusal`. `workers`: all that are connected. */
  async admit(ask: AdmissionAsk, workers: readonly string[]): Promise<GrantedCaller> {
    const { access, notify } = this.#options;
    const { key, project } = ask;
    let known: Known | undefined;
    try {
      const { caller, release } = await access.admit(
        () => grantedCaller(this.#options, ask),
        () => this.#revoke(key, known),
        () => notify('stale', { key }),
      );
      const granted: Granted = { ask, caller };
      known = { ...granted, release, holders: new Set(workers) };
      this.#known.get(key)?.release();
      this.#known.set(key, known);
      notify('granted', granted);
      return granted.caller;
    } catch (error) {
      throw refusedAdmission(project, error);
    }
  }

  /** The worker has forgotten the caller. */
  release(key: string, workerId: string): void {
    const known = this.#known.get(key);
    known?.holders.delete(workerId);
    if (known?.holders.size === 0) this.#drop(key);
  }

  /** The worker has ended. */
  releaseAll(workerId: string): void {
    for (const key of this.#known.keys()) this.release(key, workerId);
  }

  close(): void {
    for (const key of this.#known.keys()) this.#drop(key);
  }

  #revoke(key: string, known: Known | undefined): void {
    if (known !== undefined && this.#known.get(key) === known) this.#known.delete(key);
    this.#options.notify('revoked', { key });
  }

  #drop(key: string): void {
    this.#known.get(key)?.release();
    this.#known.delete(key);
  }
}

/** The caller whom a process asks about. Throws `ApiError`, or `TooManySignIns`. */
async function grantedCaller(
  deps: Omit<GrantsOptions, 'access' | 'notify'>,
  { kind, project: wanted, method, authorization, session, address }: AdmissionAsk,
): Promise<GrantedCaller> {
  const lookUp = deps.signIns.fromAddress(address);
  const credentials = { ...tokenOnly(authorization ?? undefined), atService: session };
  return await memberOf({ ...deps, lookUp }, endpointOf(kind, method), credentials, wanted);
}

/** Answers such questions of a gateway, which are not watched. Rejects with `ProxyRefusal`. */
export function answerAsks(deps: Omit<GrantsOptions, 'access' | 'notify'>): AnswerAsk {
  return async (ask) => {
    try {
      return await grantedCaller(deps, ask);
    } catch (error) {
      throw refusedAdmission(ask.project, error);
    }
  };
}

function endpointOf(
  kind: AdmissionAsk['kind'],
  method: string,
): Pick<Endpoint, 'permission' | 'method' | 'path'> {
  if (kind === 'models') return endpoints['proxy.models'];
  if (kind === 'model') return endpoints['proxy.model_request'];
  const { path } = endpoints['proxy.service'];
  return { permission: 'project_member', method: method as Endpoint['method'], path };
}
