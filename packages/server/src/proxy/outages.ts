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

/** Reads a service without a gateway, finished or not; null if there is none. */
export type ReadServiceState = (
  project: string,
  run: string,
) => Promise<(ServiceState & ServiceName) | null>;

export interface OutagesOptions {
  readonly readState: ReadServiceState;
  /** Microseconds. */
  readonly now: () => Timestamp;
}

/** Finds out why a service does not answer, from its run and jobs at that moment. */
export class Outages {
  readonly #options: OutagesOptions;
  readonly #reading = new Map<string, ReturnType<ReadServiceState>>();

  constructor(options: OutagesOptions) {
    this.#options = options;
  }

  /** `auth`: whether callers must be members of the project. Null: there is no such service. */
  async find(project: string, run: string) {
    const state = await this.#read(project, run);
    const configuration = state?.run.spec.configuration;
    if (!state || configuration?.type !== 'service') return null;
    return { projectName: state.projectName, runName: state.runName, auth: configuration.auth };
  }

  /** The service had no replica that takes requests. */
  async noReplica(service: ServiceName, forMembers: boolean): Promise<ProxyRefusal> {
    const { now } = this.#options;
    const state = await this.#read(service.projectName, service.runName);
    if (state === null) return serviceNotFound(service);
    // A replica that accepts requests now has only just become ready.
    const why = unavailabilityOf(state, now()) ?? ({ cause: 'starting', stage: 'app' } as const);
    return unavailable(service, why, { forMembers, now: now() });
  }

  /** The service has no replica because there is no place for one. */
  async lacksCapacity({ projectName, runName }: ServiceName): Promise<boolean> {
    // Without the database the reason is unknown: the request continues to wait.
    const state = await this.#read(projectName, runName).catch(() => null);
    return state !== null && unavailabilityOf(state, this.#options.now())?.cause === 'no_capacity';
  }

  /** A replica did not answer. It may have exited: then its exit is the cause. */
  async failed(service: ServiceName, error: Error, forMembers: boolean): Promise<ProxyRefusal> {
    const { now } = this.#options;
    const failure = noAnswer(service, upstreamFailure(error), error);
    // Without the database only the error itself is known.
    const state = await this.#read(service.projectName, service.runName).catch(() => null);
    const why = state && unavailabilityOf(state, now());
    return why ? unavailable(service, why, { forMembers, now: now() }) : failure;
  }

  /** Concurrent requests share one read, as any caller can cause them. */
  #read(project: string, run: string): ReturnType<ReadServiceState> {
    const key = `${project}/${run}`;
    const known = this.#reading.get(key);
    if (known) return known;
    const reading = this.#options.readState(project, run).finally(() => this.#reading.delete(key));
    this.#reading.set(key, reading);
    return reading;
  }
}
