import type { Timestamp } from '@dstack/core';
import {
  noAnswer,
  type ProxyRefusal,
  type ServiceName,
  serviceNotFound,
  unavailable,
} from './refusal.ts';
import { type ServiceState, unavailabilityOf } from './unavailability.ts';
import { upstreamFailure } from './upstream-failure.ts';

/** A service without a gateway as the database has it, finished or not; null: there is none. */
export type LookAtService = (
  project: string,
  run: string,
) => Promise<(ServiceState & ServiceName) | null>;

export interface OutagesOptions {
  readonly look: LookAtService;
  /** Microseconds. */
  readonly now: () => Timestamp;
}

/** Says why a service does not answer, by looking at its run at that moment. */
export class Outages {
  readonly #options: OutagesOptions;
  readonly #looking = new Map<string, ReturnType<LookAtService>>();

  constructor(options: OutagesOptions) {
    this.#options = options;
  }

  /** Whether callers of the service must be members of its project; null: there is no such service. */
  async find(project: string, run: string) {
    const state = await this.#look(project, run);
    const configuration = state?.run.spec.configuration;
    if (!state || configuration?.type !== 'service') return null;
    return { projectName: state.projectName, runName: state.runName, auth: configuration.auth };
  }

  /** No replica was there to be asked. */
  async noReplica(service: ServiceName, forMembers: boolean): Promise<ProxyRefusal> {
    const { now } = this.#options;
    const state = await this.#look(service.projectName, service.runName);
    if (state === null) return serviceNotFound(service);
    // Where there is one now, it has just come.
    const why = unavailabilityOf(state, now()) ?? ({ cause: 'starting', stage: 'app' } as const);
    return unavailable(service, why, { forMembers, now: now() });
  }

  /** A replica was asked in vain: perhaps it is known by now that it runs no more. */
  async failed(service: ServiceName, error: Error, forMembers: boolean): Promise<ProxyRefusal> {
    const { now } = this.#options;
    const failure = noAnswer(service, upstreamFailure(error), error);
    // An answer is due even where the database gives none.
    const state = await this.#look(service.projectName, service.runName).catch(() => null);
    const why = state && unavailabilityOf(state, now());
    return why ? unavailable(service, why, { forMembers, now: now() }) : failure;
  }

  /** Those who ask at the same time, and anybody may, cost one look. */
  #look(project: string, run: string): ReturnType<LookAtService> {
    const key = `${project}/${run}`;
    const known = this.#looking.get(key);
    if (known) return known;
    const looking = this.#options.look(project, run).finally(() => this.#looking.delete(key));
    this.#looking.set(key, looking);
    return looking;
  }
}
